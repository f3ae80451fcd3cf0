#include "engine/kernels/panels/depthwise.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "engine/kernels/simd/depthwise.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::panels {
namespace {

using testing::random_tensor;

class PanelDepthwise : public testing::OnEveryTarget {
 protected:
  /// The kernel's output as [C,H'*W'*N]; its scratch and the panels' padding hold NaN.
  static Tensor run(const Conv2dShape& shape, const Tensor& images, const Tensor& filters,
                    const Tensor& bias, Activation activation) {
    const Tensor input = testing::to_panels(testing::images_to_matrix(images));
    Tensor taps({9, shape.in_channels});
    simd::filters_to_taps(filters.data(), shape.in_channels, taps.data());
    Tensor scratch({thread_count(), depthwise_scratch_size(shape)}, NAN);
    const PanelLayout out{shape.out_channels, shape.out_height() * shape.out_width() * shape.batch};
    testing::Output output({out.size()});
    depthwise_forward(shape, input.data(), taps.data(), bias.data(), activation, scratch.data(),
                      output.data());
    return testing::from_panels(output.written(), out);
  }

  static void compare(Conv2dShape shape, int64_t batch) {
    shape.batch = batch;
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor images =
        random_tensor({batch, shape.in_height, shape.in_width, shape.in_channels}, 1, -4, 4);
    const Tensor filters = random_tensor({shape.in_channels, 1, 3, 3}, 2);
    const Tensor bias = random_tensor({shape.in_channels}, 3);
    for (const Activation activation : values_in(kActivations)) {
      Tensor expected({batch, shape.out_height(), shape.out_width(), shape.out_channels});
      reference::conv2d_forward(shape, images.data(), filters.data(), bias.data(), nullptr,
                                activation, expected.data());
      EXPECT_LE(testing::relative_error(run(shape, images, filters, bias, activation),
                                        testing::images_to_matrix(expected)),
                1e-5);
    }
  }
};

TEST_P(PanelDepthwise, MatchesTheReferenceOnMobileNetV2) {
  for (const Conv2dShape& shape : testing::mobilenet_v2_shapes()) {
    if (!shape.depthwise()) continue;
    for (const int64_t batch : {1, 2}) compare(shape, batch);
    if (shape.in_height > 4) continue;
    for (const int64_t batch : {8, 16, 32}) compare(shape, batch);
  }
}

TEST_P(PanelDepthwise, MatchesTheReferenceOnMapsOfAnySize) {
  for (const int64_t height : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 32, 33}) {
    for (const int64_t width : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 32, 33, 48, 64, 65}) {
      for (const int64_t stride : {1, 2}) {
        compare(testing::depthwise_shape(height, width, 5, stride), 1);
      }
    }
  }
}

TEST_P(PanelDepthwise, MatchesTheReferenceOnTheMapsOfOtherInputSizes) {
  for (const int64_t size : {10, 14, 20, 24, 28, 40, 49, 56, 80, 113}) {
    for (const int64_t stride : {1, 2}) {
      compare(testing::depthwise_shape(size, size, 3, stride), 1);
      compare(testing::depthwise_shape(size, size + 1, 3, stride), 3);
    }
  }
}

TEST_P(PanelDepthwise, MatchesTheReferenceOnBatchesAroundThePanelsWidth) {
  for (const int64_t batch : {2, 3, 5, 8, 16, 32, 48, 64, 65}) {
    for (const int64_t stride : {1, 2}) {
      for (const auto& [height, width] :
           {std::pair{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 4}, {4, 4}, {4, 5}, {5, 4}, {8, 8}}) {
        compare(testing::depthwise_shape(height, width, 3, stride), batch);
      }
    }
  }
}

TEST_P(PanelDepthwise, MatchesTheReferenceOnChannelsAroundTheVectorsLength) {
  for (const Conv2dShape& shape : testing::odd_depthwise_shapes()) {
    for (const int64_t batch : {1, 2}) compare(shape, batch);
  }
  for (const int64_t channels : {1, 4, 15, 16, 17, 33}) {
    compare(testing::depthwise_shape(2, 2, channels, 1), 1);
    compare(testing::depthwise_shape(4, 4, channels, 2), 1);
  }
}

TEST_P(PanelDepthwise, ThreadsDoNotChangeResults) {
  for (const int64_t size : {2, 4, 5, 8, 16}) {
    for (const int64_t stride : {1, 2}) {
      const Conv2dShape shape = testing::depthwise_shape(size, size, 53, stride);
      SCOPED_TRACE(::testing::PrintToString(shape));
      const Tensor images = random_tensor({1, size, size, 53}, 1);
      const Tensor filters = random_tensor({53, 1, 3, 3}, 2), bias = random_tensor({53}, 3);
      const auto with_threads = [&](int threads) {
        const ThreadScope scope(threads);
        return run(shape, images, filters, bias, Activation::relu6);
      };
      const Tensor alone = with_threads(1);
      for (const int threads : {2, 3, 4}) {
        EXPECT_TRUE(testing::identical(with_threads(threads), alone)) << threads << " threads";
      }
    }
  }
}

TEST_P(PanelDepthwise, NothingNotANumberVanishes) {
  for (const int64_t size : {2, 4, 7, 8}) {
    const Conv2dShape shape = testing::depthwise_shape(size, size, 17, 1);
    const Tensor images = random_tensor({1, size, size, 17}, 1),
                 filters = random_tensor({17, 1, 3, 3}, 2), bias({17}, NAN);
    for (const Activation activation : values_in(kActivations)) {
      const Tensor output = run(shape, images, filters, bias, activation);
      for (const float value : output.values()) EXPECT_TRUE(std::isnan(value));
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(PanelDepthwise);

}  // namespace
}  // namespace edgeprune::panels
