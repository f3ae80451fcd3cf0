#include "engine/kernels/panels/depthwise.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::panels {
namespace {

using testing::random_tensor;

class PanelDepthwise : public testing::OnEveryTarget {
 protected:
  /// The kernel against the reference, twice with the same scratch.
  static void compare(Conv2dShape shape, int64_t batch) {
    shape.batch = batch;
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor x =
        random_tensor({batch, shape.in_height, shape.in_width, shape.in_channels}, 1, -4, 4);
    const Tensor filters = random_tensor({shape.in_channels, 1, 3, 3}, 2);
    const Tensor bias = random_tensor({shape.in_channels}, 3);
    const Tensor input = testing::to_panels(testing::images_to_matrix(x));
    const PanelLayout out{shape.out_channels, shape.out_height() * shape.out_width() * batch};
    Tensor scratch({thread_count(), depthwise_scratch_size(shape)}, 0.0f);
    for (const Activation activation : {Activation::none, Activation::relu6}) {
      Tensor expected({batch, shape.out_height(), shape.out_width(), shape.out_channels});
      reference::conv2d_forward(shape, x.data(), filters.data(), bias.data(), nullptr, activation,
                                expected.data());
      Tensor output({out.size()}, -1.0f);
      depthwise_forward(shape, input.data(), filters.data(), bias.data(), activation,
                        scratch.data(), output.data());
      EXPECT_LE(testing::relative_error(testing::from_panels(output, out),
                                        testing::images_to_matrix(expected)),
                1e-5);
    }
  }
};

TEST_P(PanelDepthwise, MatchesTheReferenceOnMobileNetV2) {
  for (const Conv2dShape& shape : testing::mobilenet_v2_shapes()) {
    if (!shape.depthwise()) continue;
    for (const int64_t batch : {1, 2}) compare(shape, batch);
  }
}

TEST_P(PanelDepthwise, MatchesTheReferenceOnBatchesAroundThePanelsWidth) {
  for (const int64_t batch : {3, 16, 48, 64, 65}) {
    for (const int64_t stride : {1, 2}) {
      for (const auto& [height, width] :
           {std::pair{1, 1}, {2, 2}, {3, 5}, {4, 5}, {5, 4}, {8, 8}}) {
        compare(testing::depthwise_shape(height, width, 3, stride), batch);
      }
    }
  }
}

TEST_P(PanelDepthwise, MatchesTheReferenceOnOddShapes) {
  for (const Conv2dShape& shape : testing::odd_depthwise_shapes()) {
    for (const int64_t batch : {1, 2}) compare(shape, batch);
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(PanelDepthwise);

}  // namespace
}  // namespace edgeprune::panels
