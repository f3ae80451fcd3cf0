#include "engine/kernels/int8/pointwise.h"

#include <algorithm>
#include <numeric>

#include "engine/base/parallel.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/int8.h"

namespace edgeprune {
namespace {

using testing::Int8Layer;
using testing::random_integers;

constexpr Grid kRelu{.scale = 1, .zero_point = 0, .lowest = 0, .highest = kHighRelu};
constexpr Grid kLinear{.scale = 1, .zero_point = 128, .lowest = 0, .highest = 255};

class Int8Pointwise : public testing::OnEveryInt8Target {};

int8::PointwiseWeights pack(const Int8Layer& layer, int highest) {
  return {{layer.weights.data(), layer.bias.data(), layer.multipliers.data()},
          layer.shape.out_channels,
          layer.shape.in_channels,
          highest};
}

int8::Pixels pixels_of(const Int8Layer& layer) {
  return {layer.input.data(), static_cast<int64_t>(layer.input.size()) / layer.input_pixel,
          layer.input_pixel};
}

std::vector<uint8_t> run(const Int8Layer& layer, int highest, const Ending& output,
                         const QuantizedResidual& residual = {}) {
  constexpr uint8_t kUntouched = 99;
  std::vector<uint8_t> bytes(static_cast<size_t>(layer.output_bytes()) + 64, kUntouched);
  pointwise(pack(layer, highest), pixels_of(layer), residual, output, bytes.data());
  for (auto i = bytes.end() - 64; i != bytes.end(); ++i) EXPECT_EQ(*i, kUntouched);
  bytes.resize(bytes.size() - 64);
  return bytes;
}

std::vector<Conv2dShape> shapes() {
  std::vector<Conv2dShape> all;
  for (const Conv2dShape& shape : testing::mobilenet_v2_shapes()) {
    if (shape.pointwise()) all.push_back(shape);
  }
  for (const int64_t rows : {1, 16, 17, 33, 48, 80, 112, 130}) {
    for (const int64_t channels : {1, 3, 4, 21}) {
      all.push_back(testing::pointwise_shape(5, channels, rows));
    }
  }
  return all;
}

TEST_P(Int8Pointwise, EqualsThePlainLoops) {
  for (const Conv2dShape& shape : shapes()) {
    for (const int highest : {kHighRelu, 255}) {
      SCOPED_TRACE(::testing::PrintToString(shape));
      const Int8Layer layer(shape, highest, 0, pixel_bytes(shape.in_channels));
      EXPECT_EQ(run(layer, highest, kRelu), layer.expected(kRelu));
      EXPECT_EQ(run(layer, highest, kLinear), layer.expected(kLinear));
      for (const Ending& gated : testing::gated_endings()) {
        EXPECT_EQ(run(layer, highest, gated), layer.expected(gated));
      }
    }
  }
}

TEST_P(Int8Pointwise, AddsResiduals) {
  for (const Conv2dShape& shape : shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Int8Layer layer(shape, 127, 0, pixel_bytes(shape.in_channels));
    std::vector<uint8_t> other = random_integers<uint8_t>(layer.output_bytes(), 0, 255, 9);
    const int64_t bytes = pixel_bytes(shape.out_channels);
    for (size_t i = 0; i < other.size(); ++i) {
      if (static_cast<int64_t>(i) % bytes >= shape.out_channels) other[i] = 128;
    }
    const QuantizedResidual residual{other.data(), 0.73f, 128};
    EXPECT_EQ(run(layer, 127, kLinear, residual), layer.expected(kLinear, residual));
    for (const Ending& gated : testing::gated_endings()) {
      EXPECT_EQ(run(layer, 127, gated, residual), layer.expected(gated, residual));
    }
  }
}

TEST_P(Int8Pointwise, NothingSaturatesAtTheExtremes) {
  for (const int highest : {kHighRelu, 255}) {
    for (const int sign : {-1, 1}) {
      Int8Layer layer(testing::pointwise_shape(3, 960, 70), highest, 0, 960);
      std::fill(layer.input.begin(), layer.input.end(), static_cast<uint8_t>(highest));
      std::fill(layer.weights.begin(), layer.weights.end(), static_cast<int8_t>(sign * 127));
      std::fill(layer.bias.begin(), layer.bias.end(), 0);
      // 100 steps from the sum, which is far beyond 16 bits.
      const int64_t sum = int64_t{sign} * 127 * highest * 960;
      std::fill(layer.multipliers.begin(), layer.multipliers.end(), 100.0f / std::abs(float(sum)));
      const auto bytes = run(layer, highest, kLinear);
      EXPECT_EQ(bytes.front(), 128 + sign * 100);
      EXPECT_EQ(bytes, layer.expected(kLinear));
    }
  }
}

TEST_P(Int8Pointwise, NothingSaturatesForTheWorstInputsOfAnyRow) {
  // Of weights of any size: each pixel has the highest inputs where a row is positive (or negative),
  // none elsewhere.
  constexpr int64_t kRows = 35, kChannels = 203, kPixels = 2 * kRows;
  for (const int size : {1, 5, 20, 64, 127}) {
    for (const int highest : {kHighRelu, 255}) {
      Int8Layer layer(
          {.in_height = 1, .in_width = kPixels, .in_channels = kChannels, .out_channels = kRows},
          highest, 0, pixel_bytes(kChannels));
      layer.weights = random_integers<int8_t>(kRows * kChannels, -size, size, 3);
      std::fill(layer.bias.begin(), layer.bias.end(), 0);
      for (int64_t p = 0; p < kPixels; ++p) {
        for (int64_t k = 0; k < kChannels; ++k) {
          const int w = layer.weights[static_cast<size_t>(p / 2 * kChannels + k)];
          layer.input[static_cast<size_t>(p * layer.input_pixel + k)] =
              static_cast<uint8_t>((p % 2 == 0 ? w > 0 : w < 0) ? highest : 0);
        }
      }
      // The worst sums are some 100 steps.
      const float worst = static_cast<float>(highest * size * kChannels) / 4.0f;
      layer.multipliers.assign(kRows, 100.0f / worst);
      EXPECT_EQ(run(layer, highest, kLinear), layer.expected(kLinear)) << size;
    }
  }
}

TEST_P(Int8Pointwise, SumsOf16BitsThatJustFitAndJustDoNot) {
  // Of sixteen channels, those that make the sums of one word, if four pairs each are added in 16 bits:
  // 516 * 127 = 65,532 fits, one more does not. With inputs up to 255: 257 do, or 255 times -128.
  constexpr int64_t kRows = 32;
  for (const int highest : {kHighRelu, 255}) {
    for (const int total : {254, 255, 256, 257, 258, 515, 516, 517, 1016}) {
      Int8Layer layer(testing::pointwise_shape(2, 16, kRows), highest, 0, 16);
      std::fill(layer.input.begin(), layer.input.end(), static_cast<uint8_t>(highest));
      std::fill(layer.weights.begin(), layer.weights.end(), int8_t{0});
      std::fill(layer.bias.begin(), layer.bias.end(), 0);
      for (int64_t row = 0; row < kRows; ++row) {
        // All of one sign, or of both; the first words of fours or the second ones.
        for (int64_t i = 0, left = total; i < 8; ++i) {
          const int64_t size = (left + 7 - i) / (8 - i), k = i / 2 * 4 + row / 4 % 2 * 2 + i % 2;
          const int64_t sign = row % 4 == 3   ? (i < 4 ? -1 : 1)
                               : row % 4 == 2 ? 1 - i % 2 * 2
                                              : row % 2 * 2 - 1;
          layer.weights[static_cast<size_t>(row * 16 + k)] = static_cast<int8_t>(sign * size);
          left -= size;
        }
        if (row == 0) {  // the row that the others have to wait for
          ASSERT_EQ(std::abs(std::accumulate(layer.weights.begin(), layer.weights.begin() + 16, 0)),
                    total);
        }
      }
      layer.multipliers.assign(kRows, 100.0f / static_cast<float>(highest * total));
      const auto bytes = run(layer, highest, kLinear);
      EXPECT_EQ(bytes, layer.expected(kLinear)) << highest << " " << total;
      EXPECT_EQ(bytes[0], 28);
      EXPECT_EQ(bytes[1], 228);
      // No inputs where weights are positive, or negative: the other end of what sums can be.
      for (const int sign : {-1, 1}) {
        for (size_t i = 0; i < layer.input.size(); ++i) {
          const int8_t w = layer.weights[3 * 16 + i % 16];
          layer.input[i] = static_cast<uint8_t>(sign * w > 0 ? highest : 0);
        }
        EXPECT_EQ(run(layer, highest, kLinear), layer.expected(kLinear)) << highest << " " << total;
      }
    }
  }
}

TEST_P(Int8Pointwise, InputsThatAreAllZeroAreNoDivisor) {
  const int8_t weights[] = {127, -127, 1, 0};
  const int32_t bias = 3;
  const float multiplier = 1;
  const int8::PointwiseWeights packed({weights, &bias, &multiplier}, 1, 4, 0);
  const uint8_t zeros[16] = {};
  float logit = 0;
  pointwise_logits(packed, {zeros, 1, 16}, &logit);
  EXPECT_EQ(logit, 3.0f);
}

TEST_P(Int8Pointwise, RoundsHalvesToEven) {
  Int8Layer layer(testing::pointwise_shape(1, 1, 16), 255, 0, 16);
  layer.input.assign(16, 1);
  layer.weights.assign(16, 0);
  for (int i = 0; i < 16; ++i) layer.bias[static_cast<size_t>(i)] = i - 8;
  layer.multipliers.assign(16, 0.5f);
  const std::vector<uint8_t> expected{124, 124, 125, 126, 126, 126, 127, 128,
                                      128, 128, 129, 130, 130, 130, 131, 132};
  EXPECT_EQ(run(layer, 255, kLinear), expected);
}

TEST_P(Int8Pointwise, ActivatesBeforeItRounds) {
  Int8Layer layer(testing::pointwise_shape(1, 1, 16), 255, 0, 16);
  layer.input.assign(16, 1);
  layer.weights.assign(16, 0);
  for (int i = 0; i < 16; ++i) layer.bias[static_cast<size_t>(i)] = i - 8;
  layer.multipliers.assign(16, 5.0f);  // in steps of a tenth: from -4 to 3.5, by halves
  const Grid tenths{.scale = 0.1f, .zero_point = 10, .lowest = 0, .highest = 255};
  // x relu6(x + 3) / 6: 0, 0, 0, -0.208, -0.333, -0.375, -0.333, -0.208, 0, 0.292, 0.667, 1.125, 1.667, ...
  const std::vector<uint8_t> swish{10, 10, 10, 8, 7, 6, 7, 8, 10, 13, 17, 21, 27, 33, 40, 45};
  EXPECT_EQ(run(layer, 255, {tenths, Activation::hard_swish}), swish);
  const Grid bytes{.scale = 1.0f / 240, .zero_point = 0, .lowest = 0, .highest = 255};
  layer.multipliers.assign(16, 120.0f);  // the same values
  const std::vector<uint8_t> sigmoid{0,   0,   0,   20,  40,  60,  80,  100,
                                     120, 140, 160, 180, 200, 220, 240, 240};
  EXPECT_EQ(run(layer, 255, {bytes, Activation::hard_sigmoid}), sigmoid);
}

TEST_P(Int8Pointwise, Logits) {
  const Int8Layer layer(testing::pointwise_shape(2, 75, 37), 255, 0, 80);
  std::vector<int32_t> sums(4 * 37);
  reference::conv2d_sums(layer.numbers(), layer.input.data(), 80, sums.data());
  std::vector<float> logits(sums.size() + 1, 7.0f);
  pointwise_logits(pack(layer, 255), pixels_of(layer), logits.data());
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(logits[i], static_cast<float>(sums[i]) * layer.multipliers[i % 37]) << i;
  }
  EXPECT_EQ(logits.back(), 7.0f);
}

TEST_P(Int8Pointwise, SameBitsOnAnyNumberOfThreads) {
  const Int8Layer layer(testing::pointwise_shape(33, 96, 144), 127, 0, 96);
  const auto alone = [&] {
    const ThreadScope one(1);
    return run(layer, 127, kRelu);
  }();
  for (const int threads : {2, 3, 5}) {
    const ThreadScope scope(threads);
    EXPECT_EQ(run(layer, 127, kRelu), alone);
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8Pointwise);

TEST(Int8PointwiseWeights, RefusesWhatCouldOverflow) {
  const std::vector<int8_t> weights(70'000, 127);
  const int32_t bias = 0;
  const float multiplier = 1e-6f;
  const int8::RowNumbers numbers{weights.data(), &bias, &multiplier};
  EXPECT_THROW(int8::PointwiseWeights(numbers, 1, 70'000, 255), std::invalid_argument);
  EXPECT_NO_THROW(int8::PointwiseWeights(numbers, 1, 66'000, 255));
  const float large = 2.0f;
  EXPECT_THROW(int8::PointwiseWeights({weights.data(), &bias, &large}, 1, 66'000, 255),
               std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
