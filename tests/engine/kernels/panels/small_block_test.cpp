#include "engine/kernels/panels/small_block.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/kernels/simd/target.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::panels {
namespace {

using testing::random_tensor;

constexpr double kBlockTolerance = 3e-5;  // of three layers, each allowed what it is alone

/// A block's layers, and images as matrices and as panels.
struct Block {
  Block(const Conv2dShape& depthwise_shape, int64_t in, int64_t out)
      : depthwise(depthwise_shape),
        widen{.in_height = depthwise.in_height,
              .in_width = depthwise.in_width,
              .in_channels = in,
              .out_channels = depthwise.in_channels},
        narrow{.in_height = depthwise.out_height(),
               .in_width = depthwise.out_width(),
               .in_channels = depthwise.in_channels,
               .out_channels = out},
        images(random_tensor({1, widen.in_height, widen.in_width, in}, 1)),
        residual(random_tensor({1, narrow.in_height, narrow.in_width, out}, 2)),
        widen_weights(random_tensor({widen.out_channels, in}, 3)),
        filters(random_tensor({depthwise.in_channels, 1, 3, 3}, 4)),
        narrow_weights(random_tensor({out, depthwise.in_channels}, 5)),
        widen_bias(random_tensor({widen.out_channels}, 6)),
        bias(random_tensor({depthwise.in_channels}, 7)),
        narrow_bias(random_tensor({out}, 8)) {}

  PanelLayout output() const { return {narrow.out_channels, narrow.in_height * narrow.in_width}; }

  /// [C,H'*W']; scratch and the panels' padding hold NaN.
  Tensor run(Activation activation, bool add_residual) const {
    Tensor taps({9, depthwise.in_channels});
    simd::filters_to_taps(filters.data(), depthwise.in_channels, taps.data());
    const SmallBlock block({.depthwise = depthwise,
                            .in_channels = widen.in_channels,
                            .out_channels = narrow.out_channels,
                            .widen = widen_weights.data(),
                            .widen_bias = widen_bias.data(),
                            .taps = taps.data(),
                            .taps_bias = bias.data(),
                            .narrow = narrow_weights.data(),
                            .narrow_bias = narrow_bias.data(),
                            .widen_activation = activation,
                            .depthwise_activation = activation,
                            .narrow_activation = activation});
    const Tensor input = testing::to_panels(testing::images_to_matrix(images));
    const Tensor added = testing::to_panels(testing::images_to_matrix(residual));
    testing::Output result({output().size()});
    testing::Output scratch({block.scratch_size(thread_count())});
    block.run(input.data(), add_residual ? added.data() : nullptr, result.data(), scratch.data(),
              nullptr);
    scratch.written();
    return testing::from_panels(result.written(), output());
  }

  Tensor run_reference(Activation activation, bool add_residual) const {
    const auto map = [](const Conv2dShape& s) {
      return Tensor({1, s.out_height(), s.out_width(), s.out_channels});
    };
    Tensor wide = map(widen), convolved = map(depthwise), result = map(narrow);
    reference::conv2d_forward(widen, images.data(), widen_weights.data(), widen_bias.data(),
                              nullptr, activation, wide.data());
    reference::conv2d_forward(depthwise, wide.data(), filters.data(), bias.data(), nullptr,
                              activation, convolved.data());
    reference::conv2d_forward(narrow, convolved.data(), narrow_weights.data(), narrow_bias.data(),
                              add_residual ? residual.data() : nullptr, activation, result.data());
    return testing::images_to_matrix(result);
  }

  Conv2dShape depthwise, widen, narrow;
  Tensor images, residual, widen_weights, filters, narrow_weights, widen_bias, bias, narrow_bias;
};

class SmallBlockOn : public testing::OnEveryTarget {
 protected:
  void SetUp() override {
    testing::OnEveryTarget::SetUp();
    if (simd::vector_bytes() <= 4) GTEST_SKIP() << "scalar code has no such blocks";
  }
  static void compare(int64_t height, int64_t width, int64_t stride, int64_t in, int64_t wide,
                      int64_t out) {
    const Conv2dShape shape = testing::depthwise_shape(height, width, wide, stride);
    SCOPED_TRACE(fmt::format("{}, {} to {} channels", ::testing::PrintToString(shape), in, out));
    const Block block(shape, in, out);
    for (const Activation activation : values_in(kActivations)) {
      const bool add_residual = activation != Activation::none;
      EXPECT_LE(testing::relative_error(block.run(activation, add_residual),
                                        block.run_reference(activation, add_residual)),
                kBlockTolerance);
    }
  }
};

TEST_P(SmallBlockOn, MatchesTheReferenceOnMapsOfAnySize) {
  for (const auto& [height, width] : {std::pair{3, 3},
                                      {5, 5},
                                      {6, 6},
                                      {7, 7},
                                      {10, 10},
                                      {14, 14},
                                      {3, 4},
                                      {9, 1},
                                      {1, 11},
                                      {13, 7},
                                      {4, 17},
                                      {8, 8},
                                      {21, 20}}) {
    compare(height, width, 1, 7, 33, 12);
    if ((height + 1) / 2 * ((width + 1) / 2) > 8) compare(height, width, 2, 7, 33, 12);
  }
}

TEST_P(SmallBlockOn, MatchesTheReferenceOnAnyNumberOfChannels) {
  for (const int64_t channels : {1, 3, 4, 15, 16, 17, 31, 32, 47, 48, 49, 64, 80, 97, 160}) {
    compare(3, 3, 1, 5, channels, 6);
    compare(7, 7, 1, 5, 20, channels);
    compare(5, 6, 2, channels, 20, 6);
  }
}

TEST_P(SmallBlockOn, MatchesTheReferenceOnTheBlocksOfInputSizesOfUsersChoice) {
  for (const auto& [size, stride, in, wide, out] : {std::tuple{28, 2, 32, 192, 64},
                                                    {14, 1, 64, 384, 64},
                                                    {14, 2, 96, 576, 160},
                                                    {7, 1, 160, 960, 320},
                                                    {6, 1, 64, 384, 96},
                                                    {6, 2, 96, 576, 160},
                                                    {3, 1, 160, 960, 160}}) {
    compare(size, size, stride, in, wide, out);
  }
}

TEST_P(SmallBlockOn, ThreadsDoNotChangeResults) {
  for (const int64_t size : {3, 7, 12}) {
    const Block block(testing::depthwise_shape(size, size, 117, 1), 40, 83);
    const auto with_threads = [&](int threads) {
      const ThreadScope scope(threads);
      return block.run(Activation::relu6, true);
    };
    const Tensor alone = with_threads(1);
    for (const int threads : {2, 3, 4}) {
      EXPECT_TRUE(testing::identical(with_threads(threads), alone)) << threads << " threads";
    }
  }
}

TEST_P(SmallBlockOn, NothingNotANumberVanishes) {
  Block block(testing::depthwise_shape(5, 5, 19, 1), 8, 16);
  block.bias.data()[17] = NAN;
  for (const Activation activation : values_in(kActivations)) {
    const Tensor output = block.run(activation, false);
    for (const float value : output.values()) {
      EXPECT_TRUE(std::isnan(value));
    }
  }
}

// Where it pays: what waste in other layouts is, not which network or input size.
TEST_P(SmallBlockOn, PaysOnMapsThatAreNoWholeVectors) {
  const auto pays = [](int64_t size, int64_t stride, int64_t in, int64_t wide, int64_t out) {
    return SmallBlock::pays(testing::depthwise_shape(size, size, wide, stride), in, out);
  };
  EXPECT_TRUE(pays(3, 1, 160, 960, 160));
  EXPECT_TRUE(pays(7, 1, 160, 960, 160));
  EXPECT_TRUE(pays(14, 2, 96, 576, 160));
  EXPECT_FALSE(pays(4, 1, 160, 960, 160)) << "a map in one vector has kernels of its own";
  EXPECT_FALSE(pays(16, 1, 64, 384, 64)) << "so have rows of whole vectors";
  EXPECT_FALSE(pays(14, 1, 64, 384, 1)) << "one row of output takes a vector";
  EXPECT_FALSE(pays(112, 1, 16, 96, 32)) << "a large map runs in bands";
  Conv2dShape two_images = testing::depthwise_shape(7, 7, 960, 1);
  two_images.batch = 2;
  EXPECT_FALSE(SmallBlock::pays(two_images, 160, 160));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SmallBlockOn);

}  // namespace
}  // namespace edgeprune::panels
