#pragma once
// Random integers for layers, and layers by the plain loops.

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/int8/dot_products.h"
#include "engine/kernels/quantization.h"
#include "engine/kernels/reference/int8.h"
#include "engine/kernels/simd/target.h"

namespace edgeprune::testing {

/// What instruction sets there are: targets, each with and without dot products.
struct Int8Target {
  std::string target;
  bool dot_products;

  std::string name() const { return target + (dot_products ? "_dot_products" : ""); }
};
inline void PrintTo(const Int8Target& target, std::ostream* out) {
  *out << target.name();
}
inline std::vector<Int8Target> int8_targets() {
  std::vector<Int8Target> targets;
  for (const std::string& target : simd::available_targets()) {
    simd::pin_target(target);
    if (int8::has_dot_products()) targets.push_back({target, true});
    targets.push_back({target, false});
  }
  simd::pin_target("");
  return targets;
}

class OnEveryInt8Target : public ::testing::TestWithParam<Int8Target> {
 protected:
  void SetUp() override {
    simd::pin_target(GetParam().target);
    int8::allow_dot_products(GetParam().dot_products);
  }
  void TearDown() override {
    simd::pin_target("");
    int8::allow_dot_products(true);
  }
};

/// Whole numbers from `low` to `high`, both too.
template <typename T>
std::vector<T> random_integers(int64_t count, int low, int high, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> distribution(low, high);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(distribution(random));
  return values;
}

/// Activations that are more than a range, on grids that Int8Layer's sums bend on.
inline std::vector<Ending> gated_endings() {
  return {
      {{.scale = 0.05f, .zero_point = 30, .lowest = 0, .highest = 255}, Activation::hard_swish},
      {{.scale = 0.02f, .zero_point = 3, .lowest = 1, .highest = 50}, Activation::hard_sigmoid}};
}

/// A layer's integers: inputs up to `highest` about `zero_point`; sums that requantise to all of the
/// output's bytes.
struct Int8Layer {
  Int8Layer(const Conv2dShape& s, int highest, int zero, int64_t in_pixel, uint64_t seed = 1)
      : shape(s),
        zero_point(zero),
        input_pixel(in_pixel),
        input(random_integers<uint8_t>(s.batch * s.in_height * s.in_width * in_pixel, 0, highest,
                                       seed)),
        weights(random_integers<int8_t>(s.weight_count(), -127, 127, seed + 1)),
        bias(random_integers<int32_t>(s.out_channels, -9999, 9999, seed + 2)) {
    std::mt19937_64 random(seed + 3);
    const double taps = double(s.weight_count()) / double(s.out_channels);
    std::uniform_real_distribution<float> spread(0.2f, 2.0f);
    for (int64_t o = 0; o < s.out_channels; ++o) {
      multipliers.push_back(spread(random) / static_cast<float>(70.0 * std::sqrt(taps)));
    }
  }
  reference::QuantizedConv2d numbers() const {
    return {shape, weights.data(), bias.data(), multipliers.data(), zero_point};
  }
  int64_t output_bytes() const {
    return shape.batch * shape.out_height() * shape.out_width() * pixel_bytes(shape.out_channels);
  }
  std::vector<uint8_t> expected(const Ending& output,
                                const QuantizedResidual& residual = {}) const {
    std::vector<uint8_t> bytes(static_cast<size_t>(output_bytes()));
    reference::conv2d_int8(numbers(), input.data(), input_pixel, residual, output, bytes.data());
    return bytes;
  }

  Conv2dShape shape;
  int zero_point;
  int64_t input_pixel;
  std::vector<uint8_t> input;
  std::vector<int8_t> weights;
  std::vector<int32_t> bias;
  std::vector<float> multipliers = {};
};

}  // namespace edgeprune::testing

#define EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(suite)                          \
  INSTANTIATE_TEST_SUITE_P(                                                        \
      , suite, ::testing::ValuesIn(edgeprune::testing::int8_targets()),            \
      [](const ::testing::TestParamInfo<edgeprune::testing::Int8Target>& target) { \
        return target.param.name();                                                \
      })
