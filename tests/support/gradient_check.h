#pragma once
// One gradient checker for all ops.

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/autograd/variable.h"
#include "tests/support/tensors.h"

namespace edgeprune::testing {

using VariableFunction = std::function<Variable(const std::vector<Variable>&)>;

/// Ops compute in float32. With step h, rounding leaves about 1e-7 / h in a difference quotient and
/// the third derivative (of order one at worst for the inputs in the tests, and zero for the many
/// ops that are linear in each input) about h^2 / 6: h = 2^-7 balances the two at 1e-5. Missing a
/// term or a factor costs at least some percent, so a tolerance in between tells them apart.
struct GradientCheck {
  VariableFunction function;
  std::vector<Tensor> inputs;
  /// Where the function has ReLU6 inside: what is clipped, from the same inputs. Elements whose
  /// step takes any of these values across a corner have no derivative to compare and are skipped.
  VariableFunction pre_activation = nullptr;
  double step = 0x1p-7;
  double tolerance = 1e-3;  ///< of the largest gradient of that input
};

namespace gradient_check {

inline std::vector<Variable> variables(const std::vector<Tensor>& tensors, bool requires_grad) {
  std::vector<Variable> result;
  for (const Tensor& tensor : tensors) result.emplace_back(tensor, requires_grad);
  return result;
}

/// The output projected to a scalar, in double.
inline double project(const Tensor& output, const Tensor& projection) {
  double sum = 0;
  for (int64_t i = 0; i < output.count(); ++i) {
    sum += double(output.data()[i]) * projection.data()[i];
  }
  return sum;
}

/// Which piece of ReLU6 each value falls on.
inline std::vector<int> pieces(const Tensor& values) {
  std::vector<int> result;
  for (const float value : values.values()) result.push_back(value <= 0 ? -1 : value >= 6 ? 1 : 0);
  return result;
}

inline std::string position(const Shape& shape, int64_t index) {
  std::vector<int64_t> at(shape.rank());
  for (size_t axis = shape.rank(); axis-- > 0; index /= shape[axis]) at[axis] = index % shape[axis];
  return fmt::format("[{}]", fmt::join(at, ","));
}

}  // namespace gradient_check

/// Compares backward() with central differences, for every element of every input and a fixed
/// random combination of the outputs: EXPECT_TRUE(gradients_match({...})). The message names the
/// worst element of the worst input. Fails too if more than half of an input's elements had to be
/// skipped.
inline ::testing::AssertionResult gradients_match(const GradientCheck& check) {
  using namespace gradient_check;
  std::vector<Tensor> inputs;
  for (const Tensor& input : check.inputs) inputs.push_back(input.clone());

  const std::vector<Variable> leaves = variables(inputs, true);
  Variable output = check.function(leaves);
  const Tensor projection = random_tensor(output.shape(), 4711);
  output.backward(projection);

  NoGrad no_grad;
  const auto value = [&] {
    return project(check.function(variables(inputs, false)).value(), projection);
  };
  const auto clipped = [&] {
    return check.pre_activation ? pieces(check.pre_activation(variables(inputs, false)).value())
                                : std::vector<int>{};
  };
  double worst_excess = 0;
  std::string worst;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& analytic = leaves[i].grad();
    if (!analytic.defined())
      return ::testing::AssertionFailure() << "input " << i << " got no gradient";
    double largest = 0, worst_error = -1;
    int64_t worst_index = -1, skipped = 0;
    double worst_numeric = 0;
    for (int64_t at = 0; at < inputs[i].count(); ++at) {
      float& x = inputs[i].data()[at];
      const float before = x, above = static_cast<float>(before + check.step),
                  below = static_cast<float>(before - check.step);
      x = above;
      const double value_above = value();
      const auto clipped_above = clipped();
      x = below;
      const double value_below = value();
      const auto clipped_below = clipped();
      x = before;
      if (clipped_above != clipped_below) {
        ++skipped;
        continue;
      }
      const double numeric = (value_above - value_below) / (double(above) - below);
      double error = std::abs(numeric - analytic.data()[at]);
      if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
      largest = std::max(largest, std::abs(numeric));
      if (error > worst_error) worst_error = error, worst_index = at, worst_numeric = numeric;
    }
    if (2 * skipped > inputs[i].count()) {
      return ::testing::AssertionFailure()
             << "input " << i << ": " << skipped << " of " << inputs[i].count()
             << " elements are at a corner of ReLU6";
    }
    const double excess = worst_error / (check.tolerance * std::max(largest, 1e-2));
    if (excess > std::max(worst_excess, 1.0)) {
      worst_excess = excess;
      worst = fmt::format(
          "input {} {}: backward says {:.7g}, finite differences {:.7g} (largest {:.3g})", i,
          position(inputs[i].shape(), worst_index), analytic.data()[worst_index], worst_numeric,
          largest);
    }
  }
  if (worst.empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << worst;
}

}  // namespace edgeprune::testing
