#pragma once
// Tensors that kernels read through a batch norm (engine/kernels/normalized.h): random ones, what
// their readers should see, by plain loops in double, and checks of the sums that are taken on the
// way.

#include <gtest/gtest.h>

#include "engine/kernels/normalized.h"
#include "engine/kernels/reference/activation.h"
#include "engine/kernels/reference/batch_norm.h"
#include "tests/support/tensors.h"

namespace edgeprune::testing {

/// As it is; normalised; normalised, then ReLU6 or hard swish.
enum class Read { as_it_is, normalized, clipped, gated };
inline constexpr Read kReads[] = {Read::as_it_is, Read::normalized, Read::clipped, Read::gated};

inline const char* to_string(Read read) {
  return read == Read::as_it_is     ? "as it is"
         : read == Read::normalized ? "normalised"
         : read == Read::clipped    ? "clipped"
                                    : "gated";
}

/// For the gradient of what is read.
struct ReadPair {
  Read input, grad;
};
inline std::vector<ReadPair> all_read_pairs() {
  std::vector<ReadPair> pairs;
  for (const Read input : kReads) {
    for (const Read grad : kReads) pairs.push_back({input, grad});
  }
  return pairs;
}

/// A random tensor [...,C] and its batch norm. The activation clips some of it at both ends; nothing
/// is so close to a corner that rounding would decide on which side it falls.
struct NormalizedTensor {
  NormalizedTensor(const Shape& shape, Read read, uint64_t seed)
      : data(random_tensor(shape, seed, -4, 4)) {
    if (read == Read::as_it_is) return;
    normalize(shape, seed,
              read == Read::clipped ? Activation::relu6
              : read == Read::gated ? Activation::hard_swish
                                    : Activation::none);
  }
  NormalizedTensor(const Shape& shape, Activation fused, uint64_t seed)
      : data(random_tensor(shape, seed, -4, 4)) {
    normalize(shape, seed, fused);
  }

  Normalized view() const { return {data.data(), scale.data(), shift.data(), activation}; }

  int64_t channels() const { return data.shape().back(); }
  double before_activation(int64_t i) const {
    const double x = data.data()[i];
    return scale.defined() ? x * scale.data()[i % channels()] + shift.data()[i % channels()] : x;
  }
  /// By how much the activation passes the gradient of element i.
  double slope(int64_t i) const { return reference::slope(activation, before_activation(i)); }
  Tensor written_out() const {
    Tensor values(data.shape());
    for (int64_t i = 0; i < data.count(); ++i) {
      values.data()[i] = static_cast<float>(reference::activate(activation, before_activation(i)));
    }
    return values;
  }

  Tensor data, scale, shift;  ///< scale and shift undefined where the data is read as it is
  Activation activation = Activation::none;

 private:
  void normalize(const Shape& shape, uint64_t seed, Activation fused) {
    activation = fused;
    const ActivationForm form = form_of(activation);
    scale = random_tensor({shape.back()}, seed + 100, 0.5f, 1.5f);
    shift = random_tensor({shape.back()}, seed + 200, 2 - form.shift, 4 - form.shift);
    for (int64_t c = 1; c < shape.back(); c += 2) scale.data()[c] *= -1;
    for (int64_t i = 0; i < data.count(); ++i) {
      const double z = before_activation(i) + form.shift;
      if (std::min(std::abs(z - form.low), std::abs(z - form.high)) < 1e-3) data.data()[i] += 0.1f;
    }
  }
};

/// The same for a gradient that is sent back through the batch norm.
struct NormalizedGradientTensor {
  NormalizedGradientTensor(const Shape& shape, Read read, uint64_t seed)
      : data(random_tensor(shape, seed)), output(shape, read, seed + 1) {
    if (read == Read::as_it_is) return;
    a = random_tensor({shape.back()}, seed + 300, 0.5f, 2);
    b = random_tensor({shape.back()}, seed + 400, -0.1f, 0.1f);
    c = random_tensor({shape.back()}, seed + 500, -0.1f, 0.1f);
  }

  NormalizedGradient view() const {
    if (!a.defined()) return {.data = data.data()};
    return {data.data(), a.data(), b.data(), c.data(), output.view()};
  }
  Tensor written_out() const {
    if (!a.defined()) return data;
    Tensor values(data.shape());
    for (int64_t i = 0; i < data.count(); ++i) {
      const int64_t k = i % output.channels();
      const double g = output.slope(i) * data.data()[i];
      values.data()[i] = static_cast<float>(
          a.data()[k] * g + double(b.data()[k]) * output.data.data()[i] + c.data()[k]);
    }
    return values;
  }

  Tensor data, a, b, c;  ///< a, b, c undefined where the data is read as it is
  NormalizedTensor output;
};

/// Mean and biased variance of the channels of `tensor`, however far the mean is from zero.
inline void expect_moments_of(const Tensor& tensor, const Tensor& mean, const Tensor& variance) {
  const int64_t channels = tensor.shape().back(), rows = tensor.count() / channels;
  Tensor expected_mean({channels}), expected_variance({channels});
  reference::batch_norm_statistics(tensor.data(), rows, channels, expected_mean.data(),
                                   expected_variance.data());
  for (int64_t c = 0; c < channels; ++c) {
    const double m = expected_mean.data()[c], v = expected_variance.data()[c];
    ASSERT_NEAR(mean.data()[c], m, 1e-5 * std::sqrt(v) + 1e-7 * std::abs(m)) << "channel " << c;
    // A variance far below the mean's last digit is that of rounded values.
    ASSERT_NEAR(variance.data()[c], v, 1e-5 * v + 1e-14 * m * m) << "channel " << c;
  }
}

/// The sums of GradientSums, for `grad` the gradient of what readers of `input` see.
inline void expect_gradient_sums_of(const NormalizedTensor& input, const Tensor& mean,
                                    const Tensor& grad, const Tensor& sum_grad,
                                    const Tensor& sum_grad_input) {
  const auto channels = static_cast<size_t>(input.channels());
  struct Sum {
    double value = 0, magnitude = 0;
    void add(double term) { value += term, magnitude += std::abs(term); }
    double tolerance() const { return 1e-5 * magnitude; }
  };
  std::vector<Sum> first(channels), second(channels);
  for (int64_t i = 0; i < grad.count(); ++i) {
    const double g = input.slope(i) * grad.data()[i];
    const auto c = static_cast<size_t>(i) % channels;
    first[c].add(g);
    second[c].add(g * (double(input.data.data()[i]) - mean.data()[c]));
  }
  for (size_t c = 0; c < channels; ++c) {
    ASSERT_NEAR(sum_grad.data()[c], first[c].value, first[c].tolerance()) << "channel " << c;
    ASSERT_NEAR(sum_grad_input.data()[c], second[c].value, second[c].tolerance())
        << "channel " << c;
  }
}

}  // namespace edgeprune::testing
