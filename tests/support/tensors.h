#pragma once
// Random tensors, and how far two tensors are apart.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::testing {

/// Uniform in [low, high), the same on every machine.
inline Tensor random_tensor(Shape shape, uint64_t seed, float low = -1.0f, float high = 1.0f) {
  Tensor tensor(std::move(shape));
  Rng rng(seed);
  for (float& value : tensor.values()) value = rng.uniform(low, high);
  return tensor;
}

/// random_tensor() with about the given share of zeros.
inline Tensor random_sparse_tensor(Shape shape, uint64_t seed, double sparsity) {
  Tensor tensor = random_tensor(std::move(shape), seed);
  Rng rng(seed, 1);
  for (float& value : tensor.values()) {
    if (rng.uniform() < sparsity) value = 0.0f;
  }
  return tensor;
}

inline std::vector<float> values_of(const Tensor& tensor) {
  return {tensor.values().begin(), tensor.values().end()};
}

/// Memory for a kernel to write a tensor to, with some behind it that must stay as it is.
class Output {
 public:
  explicit Output(const Shape& shape) : shape_(shape), buffer_({shape.count() + kBehind}, NAN) {}
  float* data() { return buffer_.data(); }
  /// What was written; NaN where nothing was.
  Tensor written() const {
    const auto count = static_cast<size_t>(shape_.count());
    for (const float value : buffer_.values().subspan(count)) {
      EXPECT_TRUE(std::isnan(value)) << "written behind the end of " << shape_.to_string();
    }
    return Tensor(shape_, buffer_.values().first(count));
  }

 private:
  static constexpr int64_t kBehind = 64;
  Shape shape_;
  Tensor buffer_;
};

/// Bit for bit.
inline bool identical(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), a.values().size() * sizeof(float)) == 0;
}

/// The largest |a - b|; infinite if either holds a NaN.
inline double max_abs_error(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape().to_string(), b.shape().to_string());
  double worst = 0;
  for (int64_t i = 0; i < std::min(a.count(), b.count()); ++i) {
    const double error = std::abs(double(a.data()[i]) - b.data()[i]);
    if (std::isnan(error)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, error);
  }
  return worst;
}

/// max_abs_error() as a share of the largest expected value. Float32 sums of k terms in another
/// order differ by some sqrt(k) * 6e-8 of that, whatever k.
inline double relative_error(const Tensor& actual, const Tensor& expected) {
  double largest = 0;
  for (const float value : expected.values()) largest = std::max(largest, std::abs(double(value)));
  const double error = max_abs_error(actual, expected);
  return error == 0 ? 0 : error / largest;
}

}  // namespace edgeprune::testing
