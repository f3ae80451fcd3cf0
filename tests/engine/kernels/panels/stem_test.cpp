#include "engine/kernels/panels/stem.h"

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

Conv2dShape stem_shape(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out) {
  return {.batch = batch,
          .in_height = height,
          .in_width = width,
          .in_channels = in,
          .out_channels = out,
          .kernel = 3,
          .stride = 2,
          .padding = 1};
}

class PanelStem : public testing::OnEveryTarget {
 protected:
  /// The kernel's output as [O,H'*W'*N]; its scratch holds NaN.
  static Tensor run(const Conv2dShape& s, Activation activation, float add_to_bias = 0) {
    Tensor scratch({thread_count(), stem_scratch_size(s)}, NAN);
    const PanelLayout out{s.out_channels, s.out_height() * s.out_width() * s.batch};
    testing::Output output({out.size()});
    Tensor bias_of_run = bias(s);
    for (float& value : bias_of_run.values()) value += add_to_bias;
    stem_forward(s, images(s).data(), weights(s).data(), bias_of_run.data(), activation,
                 scratch.data(), output.data());
    return testing::from_panels(output.written(), out);
  }
  static void compare(const Conv2dShape& s) {
    SCOPED_TRACE(::testing::PrintToString(s));
    ASSERT_TRUE(stem_supported(s));
    for (const Activation activation : values_in(kActivations)) {
      Tensor expected({s.batch, s.out_height(), s.out_width(), s.out_channels});
      reference::conv2d_forward(s, images(s).data(), weights(s).data(), bias(s).data(), nullptr,
                                activation, expected.data());
      EXPECT_LE(testing::relative_error(run(s, activation), testing::images_to_matrix(expected)),
                1e-5);
    }
  }

 private:
  static Tensor images(const Conv2dShape& s) {
    return random_tensor({s.batch, s.in_height, s.in_width, s.in_channels}, 1, -4, 4);
  }
  static Tensor weights(const Conv2dShape& s) { return random_tensor({s.weight_count()}, 2); }
  static Tensor bias(const Conv2dShape& s) { return random_tensor({s.out_channels}, 3); }
};

TEST_P(PanelStem, MatchesTheReferenceOnMobileNetV2) {
  const Conv2dShape shape = testing::mobilenet_v2_shapes().front();
  for (const int64_t batch : {1, 2, 3, 5, 16}) {
    Conv2dShape batched = shape;
    batched.batch = batch;
    compare(batched);
  }
}

TEST_P(PanelStem, MatchesTheReferenceOnChannelsOfAnyNumber) {
  for (const int64_t in : {1, 2, 3, 4, 5}) {
    for (const int64_t out : {1, 3, 4, 6, 17}) {
      compare(stem_shape(1, 32, 32, in, out));
      compare(stem_shape(2, 5, 4, in, out));
    }
  }
}

TEST_P(PanelStem, MatchesTheReferenceOnImagesOfAnySize) {
  for (const int64_t height : {1, 2, 3, 4, 5, 8, 9, 16, 33}) {
    for (const int64_t width : {1, 2, 3, 7, 16, 17, 31, 32, 33, 48, 64, 96, 128, 256}) {
      compare(stem_shape(1, height, width, 3, 5));
    }
  }
}

TEST_P(PanelStem, ThreadsDoNotChangeResults) {
  const Conv2dShape shape = testing::mobilenet_v2_shapes().front();
  const auto with_threads = [&](int threads) {
    const ThreadScope scope(threads);
    return run(shape, Activation::relu6);
  };
  const Tensor alone = with_threads(1);
  for (const int threads : {2, 3}) EXPECT_TRUE(testing::identical(with_threads(threads), alone));
}

TEST_P(PanelStem, OtherConvolutionsAreNotSupported) {
  EXPECT_FALSE(stem_supported(testing::depthwise_shape(8, 8, 4, 2)));
  EXPECT_FALSE(stem_supported(testing::pointwise_shape(8, 3, 4)));
}

TEST_P(PanelStem, NothingNotANumberVanishes) {
  const Conv2dShape shape = stem_shape(1, 9, 7, 3, 6);
  for (const Activation activation : values_in(kActivations)) {
    const Tensor output = run(shape, activation, NAN);
    for (const float value : output.values()) EXPECT_TRUE(std::isnan(value));
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(PanelStem);

}  // namespace
}  // namespace edgeprune::panels
