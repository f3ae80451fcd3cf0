#include "engine/kernels/simd/winograd.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/dense_layer.h"
#include "tests/support/message_of.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::identical;
using testing::Output;
using testing::random_tensor;

constexpr int64_t kTiles[] = {2, 4};

/// Of the largest output. Transforms subtract what cancels only partly: tiles of 4x4 multiply inputs
/// by up to 5 * 5, outputs by up to 8 * 8.
double tolerance(int64_t tile) {
  return tile == 2 ? 2e-6 : 2e-5;
}

Conv2dShape map_shape(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out,
                      int64_t padding = 1) {
  return {batch, height, width, in, out, 3, 1, padding, 1};
}

/// Those of ResNet18 and 50 at 224x224.
std::vector<Conv2dShape> resnet_shapes() {
  return {map_shape(1, 56, 56, 64, 64), map_shape(1, 28, 28, 128, 128),
          map_shape(1, 14, 14, 256, 256), map_shape(1, 7, 7, 512, 512)};
}

/// Maps smaller than a tile and no whole number of them, channels around the vectors' and register
/// tiles' lengths, as many tiles as make several blocks.
std::vector<Conv2dShape> odd_winograd_shapes() {
  std::vector<Conv2dShape> shapes;
  for (const auto& [in, out] : {std::pair{1, 1}, {3, 7}, {17, 33}, {24, 100}, {64, 16}}) {
    for (const auto& [height, width] : {std::pair{1, 1}, {2, 3}, {4, 5}, {9, 7}, {12, 8}}) {
      shapes.push_back(map_shape(2, height, width, in, out));
    }
  }
  shapes.insert(shapes.end(), {map_shape(1, 3, 3, 5, 4, 0), map_shape(1, 9, 6, 9, 20, 0),
                               map_shape(1, 5, 4, 3, 8, 2), map_shape(2, 4, 9, 8, 3, 3),
                               map_shape(9, 33, 20, 6, 5)});
  return shapes;
}

struct WinogradLayer : testing::DenseLayer {
  using DenseLayer::DenseLayer;

  Tensor run(int64_t tile, Activation activation, bool add_residual) const {
    const simd::Winograd conv(shape, weights.data(), bias.data(), activation, tile);
    Output output(residual.shape()), scratch({conv.scratch_size()});
    conv.run(input.data(), add_residual ? residual.data() : nullptr, output.data(), scratch.data());
    scratch.written();
    return output.written();
  }
};

class Winograd : public testing::OnEveryTarget {};

TEST_P(Winograd, MatchesTheReferenceOnResNets) {
  for (const Conv2dShape& shape : resnet_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const WinogradLayer layer(shape);
    const Tensor expected = layer.expected(Activation::relu, true);
    for (const int64_t tile : kTiles) {
      EXPECT_LE(testing::relative_error(layer.run(tile, Activation::relu, true), expected),
                tolerance(tile));
    }
  }
}

TEST_P(Winograd, MatchesTheReferenceOnOddShapes) {
  for (const Conv2dShape& shape : odd_winograd_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const WinogradLayer layer(shape);
    for (const bool residual : {false, true}) {
      const Tensor expected = layer.expected(Activation::none, residual);
      for (const int64_t tile : kTiles) {
        const Tensor actual = layer.run(tile, Activation::none, residual);
        EXPECT_LE(testing::relative_error(actual, expected), tolerance(tile));
      }
    }
  }
}

TEST_P(Winograd, EndsInEveryActivation) {
  const WinogradLayer layer(map_shape(1, 6, 5, 9, 18));
  for (const auto& [activation, name, formula] : kActivations) {
    for (const int64_t tile : kTiles) {
      EXPECT_LE(testing::relative_error(layer.run(tile, activation, true),
                                        layer.expected(activation, true)),
                tolerance(tile))
          << name;
    }
  }
}

TEST_P(Winograd, TheResidualMayBeTheOutput) {
  const WinogradLayer layer(map_shape(1, 9, 9, 16, 16));
  const simd::Winograd conv(layer.shape, layer.weights.data(), layer.bias.data(), Activation::relu,
                            4);
  Tensor output = layer.residual.clone(), scratch({conv.scratch_size()});
  conv.run(layer.input.data(), output.data(), output.data(), scratch.data());
  EXPECT_TRUE(identical(output, layer.run(4, Activation::relu, true)));
}

TEST_P(Winograd, TheThreadCountDoesNotMatter) {
  for (const Conv2dShape& shape :
       {map_shape(1, 7, 7, 24, 40), map_shape(1, 33, 40, 16, 24), map_shape(5, 14, 14, 32, 16)}) {
    const WinogradLayer layer(shape);
    for (const int64_t tile : kTiles) {
      const auto run = [&](int threads) {
        const ThreadScope scope(threads);
        return layer.run(tile, Activation::relu, true);
      };
      const Tensor one = run(1);
      for (const int threads : {2, 3}) EXPECT_TRUE(identical(run(threads), one)) << threads;
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(Winograd);

TEST(WinogradTile, GrowsWithTheMapAndWithTheBatch) {
  EXPECT_EQ(simd::winograd_tile(map_shape(1, 56, 56, 64, 64)), 4);
  EXPECT_EQ(simd::winograd_tile(map_shape(1, 7, 7, 512, 512)), 2);   // reads fewer weights
  EXPECT_EQ(simd::winograd_tile(map_shape(16, 7, 7, 512, 512)), 4);  // that many images share
  EXPECT_EQ(simd::winograd_tile(map_shape(1, 1, 1, 512, 512)), 0);
  EXPECT_EQ(simd::winograd_tile(map_shape(1, 56, 56, 1, 1)), 0);
}

TEST(WinogradTile, OtherConvolutionsAreRefused) {
  Conv2dShape shape = map_shape(1, 8, 8, 4, 4);
  shape.stride = 2;
  EXPECT_EQ(simd::winograd_tile(shape), 0);
  const Tensor weights({4, 4, 3, 3}, 0.0f), bias({4}, 0.0f);
  EXPECT_EQ(testing::message_of<std::invalid_argument>(
                [&] { simd::Winograd(shape, weights.data(), bias.data(), Activation::none, 2); }),
            "[Winograd] expected a 3x3 convolution of stride 1 and tiles of 2 or 4, got kernel 3, "
            "stride 2, groups 1 and tiles of 2");
}

}  // namespace
}  // namespace edgeprune
