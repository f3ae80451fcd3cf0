// An op of your own: x * sigmoid(x), "swish" or "SiLU" (Ramachandran et al. 2017), with its gradient, held against differences.
#include <edgeprune/engine/autograd/variable.h>
#include <edgeprune/engine/base/check.h>
#include <edgeprune/engine/base/parallel.h>
#include <edgeprune/engine/base/random.h>

#include <cmath>
#include <cstdio>
#include <exception>

namespace {

using namespace edgeprune;

float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

/// Of any shape. d/dx x s(x) = s(x) (1 + x (1 - s(x))).
Variable swish(const Variable& input) {
  const Tensor x = input.value();  // a handle, no copy
  require(x.count() > 0, "swish", "expected values, got {}", x.shape());
  Tensor output(x.shape());
  parallel_for(x.count(), 4096, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) output.data()[i] = x.data()[i] * sigmoid(x.data()[i]);
  });
  return Variable::result(output, {input}, [x](const Tensor& grad_output, InputGrads& inputs) {
    Tensor grad(x.shape());
    parallel_for(x.count(), 4096, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const float s = sigmoid(x.data()[i]);
        grad.data()[i] = grad_output.data()[i] * s * (1 + x.data()[i] * (1 - s));
      }
    });
    inputs.add(0, grad);
  });
}

void check() {
  Tensor values({3, 5});
  Rng rng(0);
  for (float& value : values.values()) value = rng.normal();
  Variable input(values, /*requires_grad=*/true);
  swish(input).backward(Tensor({3, 5}, 1.0f));
  double worst = 0;
  for (size_t i = 0; i < values.values().size(); ++i) {
    const double x = values.values()[i], step = 1e-4;
    const auto exact = [](double v) { return v / (1 + std::exp(-v)); };
    const double slope = (exact(x + step) - exact(x - step)) / (2 * step);
    worst = std::max(worst, std::abs(slope - double(input.grad().values()[i])));
  }
  std::printf("largest difference from finite differences: %.1e\n", worst);
  require(worst < 1e-5, "swish", "expected the gradient to be within 1e-5, it is off by {}", worst);
}

}  // namespace

int main() {
  try {
    check();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "add_an_op: %s\n", error.what());
    return 1;
  }
}
