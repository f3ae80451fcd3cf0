#include "engine/kernels/int8/depthwise.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/int8.h"

namespace edgeprune {
namespace {

using testing::Int8Layer;

constexpr Grid kToRelu{.scale = 1, .zero_point = 0, .lowest = 0, .highest = kHighRelu};
constexpr Grid kToLinear{.scale = 1, .zero_point = 128, .lowest = 0, .highest = 255};

class Int8Depthwise : public testing::OnEveryInt8Target {};

std::vector<uint8_t> run_depthwise(const Int8Layer& layer, int highest, const Ending& output) {
  constexpr uint8_t kUntouched = 99;
  const Grid input{.scale = 1, .zero_point = layer.zero_point, .lowest = 0, .highest = highest};
  std::vector<uint8_t> bytes(static_cast<size_t>(layer.output_bytes()) + 64, kUntouched);
  const int8::DepthwiseWeights weights(
      {layer.weights.data(), layer.bias.data(), layer.multipliers.data()}, layer.shape, input);
  depthwise(weights, layer.shape, layer.input.data(), output, bytes.data());
  for (auto i = bytes.end() - 64; i != bytes.end(); ++i) EXPECT_EQ(*i, kUntouched);
  bytes.resize(bytes.size() - 64);
  return bytes;
}

Int8Layer layer_of(const Conv2dShape& shape, int highest, int zero_point) {
  return {shape, highest, zero_point, pixel_bytes(shape.in_channels)};
}

std::vector<Conv2dShape> all_depthwise_shapes() {
  std::vector<Conv2dShape> shapes = testing::odd_depthwise_shapes();
  for (const Conv2dShape& shape : testing::mobilenet_v2_shapes()) {
    if (shape.depthwise()) shapes.push_back(shape);
  }
  for (const int64_t stride : {1, 2}) {
    for (const int64_t size : {1, 7, 12}) {
      shapes.push_back(testing::depthwise_shape(size, size, 112, stride));
      shapes.back().kernel = 5, shapes.back().padding = 2;
      shapes.push_back(testing::depthwise_shape(size, size + 1, 40, stride));
      shapes.back().batch = 3;
    }
    // A block of channels that is no whole vector meets several pixels at a time.
    for (const int64_t channels : {16, 32, 48, 80, 96}) {
      for (const int64_t width : {1, 2, 3, 5, 8, 9}) {
        shapes.push_back(testing::depthwise_shape(3, width, channels, stride));
        shapes.push_back(testing::depthwise_shape(6, width + 2, channels, stride));
        shapes.back().kernel = 5, shapes.back().padding = 2;
      }
    }
    // Wider than the columns that a window of 5x5 has at hand, and no vectors for it.
    shapes.push_back(testing::depthwise_shape(9, 41, 72, stride));
    shapes.back().kernel = 5, shapes.back().padding = 2;
    shapes.push_back(testing::depthwise_shape(9, 9, 72, stride));
    shapes.back().kernel = 5, shapes.back().padding = 1;
  }
  return shapes;
}

TEST_P(Int8Depthwise, EqualsThePlainLoops) {
  for (const Conv2dShape& shape : all_depthwise_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Int8Layer after_relu = layer_of(shape, kHighRelu, 0);
    EXPECT_EQ(run_depthwise(after_relu, kHighRelu, kToRelu), after_relu.expected(kToRelu));
    const Int8Layer after_nothing = layer_of(shape, 255, 128);
    EXPECT_EQ(run_depthwise(after_nothing, 255, kToLinear), after_nothing.expected(kToLinear));
    for (const Ending& gated : testing::gated_endings()) {
      EXPECT_EQ(run_depthwise(after_nothing, 255, gated), after_nothing.expected(gated));
    }
  }
}

/// With `sign` times the largest weights and inputs, and the multiplier that makes 90 of all taps' sum.
std::vector<uint8_t> extremes(int64_t kernel, int64_t stride, int highest, int sign) {
  Conv2dShape shape = testing::depthwise_shape(7, 7, 80, stride);
  shape.kernel = kernel, shape.padding = kernel / 2;
  Int8Layer layer = layer_of(shape, highest, 0);
  std::fill(layer.input.begin(), layer.input.end(), static_cast<uint8_t>(highest));
  std::fill(layer.weights.begin(), layer.weights.end(), static_cast<int8_t>(sign * 127));
  std::fill(layer.bias.begin(), layer.bias.end(), 0);
  std::fill(layer.multipliers.begin(), layer.multipliers.end(),
            90.0f / static_cast<float>(127 * kernel * kernel * highest));
  const auto bytes = run_depthwise(layer, highest, kToLinear);
  EXPECT_EQ(bytes, layer.expected(kToLinear));
  return bytes;
}

TEST_P(Int8Depthwise, NothingSaturatesAtTheExtremes) {
  for (const int highest : {kHighRelu, 255}) {
    for (const int sign : {-1, 1}) {
      for (const int64_t stride : {1, 2}) {
        // All taps are on the map in its middle; in its corner four of 9, or 9 of 25.
        const size_t width = stride == 1 ? 7 : 4, middle = (width / 2) * (width + 1) * 80;
        const auto threes = extremes(3, stride, highest, sign);
        EXPECT_EQ(threes[middle], 128 + sign * 90);
        EXPECT_EQ(threes[0], 128 + sign * 40);
        const auto fives = extremes(5, stride, highest, sign);
        EXPECT_EQ(fives[middle], 128 + sign * 90);
        EXPECT_EQ(fives[0], 128 + sign * 32);  // 32.4
      }
    }
  }
}

TEST_P(Int8Depthwise, SameBitsOnAnyNumberOfThreads) {
  const Int8Layer layer = layer_of(testing::depthwise_shape(33, 31, 144, 1), kHighRelu, 0);
  const auto alone = [&] {
    const ThreadScope one(1);
    return run_depthwise(layer, kHighRelu, kToRelu);
  }();
  for (const int threads : {2, 3, 5}) {
    const ThreadScope scope(threads);
    EXPECT_EQ(run_depthwise(layer, kHighRelu, kToRelu), alone);
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8Depthwise);

}  // namespace
}  // namespace edgeprune
