#include "engine/kernels/int8/conv2d.h"

#include "engine/base/parallel.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/int8.h"

namespace edgeprune {
namespace {

using testing::Int8Layer;

constexpr Grid kStemOutput{.scale = 1, .zero_point = 0, .lowest = 0, .highest = kHighRelu};

class Int8Conv2d : public testing::OnEveryInt8Target {};

/// From floats, whose values are the layer's bytes', or from those.
std::vector<uint8_t> run_conv2d(const Int8Layer& layer, const Ending& output = kStemOutput,
                                bool floats = false) {
  constexpr uint8_t kUntouched = 99;
  const Grid input{.scale = 1, .zero_point = layer.zero_point, .lowest = 0, .highest = 255};
  const int8::Conv2dWeights weights(
      {layer.weights.data(), layer.bias.data(), layer.multipliers.data()}, layer.shape, input,
      layer.input_pixel);
  std::vector<uint8_t> scratch(
      static_cast<size_t>(conv2d_scratch_size(weights, layer.shape) * thread_count()));
  std::vector<uint8_t> bytes(static_cast<size_t>(layer.output_bytes()) + 64, kUntouched);
  if (floats) {
    std::vector<float> images;
    const int64_t pixels = layer.shape.batch * layer.shape.in_height * layer.shape.in_width;
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < layer.shape.in_channels; ++c) {
        const uint8_t byte = layer.input[static_cast<size_t>(p * layer.input_pixel + c)];
        images.push_back(input.value(byte));
      }
    }
    conv2d_images(weights, layer.shape, images.data(), input, output, scratch.data(), bytes.data());
  } else {
    conv2d(weights, layer.shape, layer.input.data(), {}, output, scratch.data(), bytes.data());
  }
  for (auto i = bytes.end() - 64; i != bytes.end(); ++i) EXPECT_EQ(*i, kUntouched);
  bytes.resize(bytes.size() - 64);
  return bytes;
}

TEST_P(Int8Conv2d, EqualsThePlainLoops) {
  std::vector<Conv2dShape> shapes = testing::odd_shapes();
  shapes.push_back(testing::mobilenet_v2_shapes().front());
  for (Conv2dShape shape : shapes) {
    if (shape.groups > 1) continue;
    shape.batch = 2;
    SCOPED_TRACE(::testing::PrintToString(shape));
    for (const int64_t pixel :
         {image_pixel_bytes(shape.in_channels), pixel_bytes(shape.in_channels)}) {
      const Int8Layer layer(shape, 255, 117, pixel);
      const auto expected = layer.expected(kStemOutput);
      EXPECT_EQ(run_conv2d(layer), expected);
      EXPECT_EQ(run_conv2d(layer, kStemOutput, true), expected);
      for (const Ending& gated : testing::gated_endings()) {
        EXPECT_EQ(run_conv2d(layer, gated), layer.expected(gated));
        EXPECT_EQ(run_conv2d(layer, gated, true), layer.expected(gated));
      }
      const ThreadScope three(3);
      EXPECT_EQ(run_conv2d(layer), expected);
      EXPECT_EQ(run_conv2d(layer, kStemOutput, true), expected);
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8Conv2d);

}  // namespace
}  // namespace edgeprune
