#include "engine/kernels/simd/depthwise.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::identical;
using testing::random_tensor;
using testing::relative_error;

constexpr double kTolerance = 1e-5;

std::vector<Conv2dShape> all_shapes() {
  std::vector<Conv2dShape> shapes;
  for (const auto& list : {testing::mobilenet_v2_shapes(), testing::odd_depthwise_shapes()}) {
    for (Conv2dShape shape : list) {
      if (!simd::depthwise_supported(shape)) continue;
      for (const int64_t batch : {1, 2}) {
        shape.batch = batch;
        shapes.push_back(shape);
      }
    }
  }
  return shapes;
}

/// Random arguments of one shape's kernels. Inputs are large enough for ReLU6 to clip at both ends.
struct Arguments {
  explicit Arguments(const Conv2dShape& s)
      : x(random_tensor({s.batch, s.in_height, s.in_width, s.in_channels}, 1, -4, 4)),
        filters(random_tensor({s.in_channels, 1, 3, 3}, 2)),
        taps({9, s.in_channels}),
        bias(random_tensor({s.in_channels}, 3)),
        g(random_tensor({s.batch, s.out_height(), s.out_width(), s.out_channels}, 4)) {
    simd::filters_to_taps(filters.data(), s.in_channels, taps.data());
  }
  Tensor x, filters, taps, bias, g;
};

class SimdDepthwise : public testing::OnEveryTarget {};

TEST_P(SimdDepthwise, ForwardMatchesTheReference) {
  for (const Conv2dShape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Arguments a(shape);
    for (const Activation activation : {Activation::none, Activation::relu6}) {
      for (const float* bias : {static_cast<const float*>(nullptr), a.bias.data()}) {
        Tensor expected(a.g.shape()), actual(a.g.shape(), -1.0f);
        reference::conv2d_forward(shape, a.x.data(), a.filters.data(), bias, nullptr, activation,
                                  expected.data());
        simd::depthwise_forward(shape, a.x.data(), a.taps.data(), bias, activation, actual.data());
        EXPECT_LE(relative_error(actual, expected), kTolerance);
      }
    }
  }
}

TEST_P(SimdDepthwise, BackwardDataMatchesTheReference) {
  for (const Conv2dShape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Arguments a(shape);
    Tensor expected(a.x.shape()), actual(a.x.shape(), -1.0f);
    reference::conv2d_backward_data(shape, a.g.data(), a.filters.data(), expected.data());
    simd::depthwise_backward_data(shape, a.g.data(), a.taps.data(), actual.data());
    EXPECT_LE(relative_error(actual, expected), kTolerance);
  }
}

TEST_P(SimdDepthwise, BackwardWeightsMatchesTheReference) {
  for (const Conv2dShape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Arguments a(shape);
    Tensor expected(a.filters.shape()), taps(a.taps.shape(), -1.0f), actual(a.filters.shape());
    reference::conv2d_backward_weights(shape, a.x.data(), a.g.data(), expected.data());
    simd::depthwise_backward_weights(shape, a.x.data(), a.g.data(), taps.data());
    simd::taps_to_filters(taps.data(), shape.in_channels, actual.data());
    EXPECT_LE(relative_error(actual, expected), kTolerance);
  }
}

TEST_P(SimdDepthwise, RepeatsBitForBitAndHardlyDependsOnTheThreadCount) {
  for (Conv2dShape shape : testing::mobilenet_v2_shapes()) {
    if (!simd::depthwise_supported(shape)) continue;
    shape.batch = 3;
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Arguments a(shape);
    const auto run = [&](int threads) {
      const ThreadScope scope(threads);
      std::vector<Tensor> results{Tensor(a.g.shape()), Tensor(a.x.shape()), Tensor(a.taps.shape())};
      simd::depthwise_forward(shape, a.x.data(), a.taps.data(), a.bias.data(), Activation::relu6,
                              results[0].data());
      simd::depthwise_backward_data(shape, a.g.data(), a.taps.data(), results[1].data());
      simd::depthwise_backward_weights(shape, a.x.data(), a.g.data(), results[2].data());
      return results;
    };
    const auto one = run(1), two = run(2), again = run(2);
    for (size_t i = 0; i < two.size(); ++i) EXPECT_TRUE(identical(two[i], again[i]));
    EXPECT_TRUE(identical(one[0], two[0]));
    EXPECT_TRUE(identical(one[1], two[1]));
    EXPECT_LE(relative_error(two[2], one[2]), kTolerance);
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdDepthwise);

TEST(Depthwise, TapsAndFiltersAreTransposes) {
  std::vector<float> filters(2 * 9);
  for (size_t i = 0; i < filters.size(); ++i) filters[i] = static_cast<float>(i);
  std::vector<float> taps(filters.size()), back(filters.size());
  simd::filters_to_taps(filters.data(), 2, taps.data());
  EXPECT_EQ(taps,
            (std::vector<float>{0, 9, 1, 10, 2, 11, 3, 12, 4, 13, 5, 14, 6, 15, 7, 16, 8, 17}));
  simd::taps_to_filters(taps.data(), 2, back.data());
  EXPECT_EQ(back, filters);
}

TEST(Depthwise, KnowsWhatItSupports) {
  const Conv2dShape good = testing::depthwise_shape(4, 4, 8, 2);
  EXPECT_TRUE(simd::depthwise_supported(good));
  Conv2dShape bad = good;
  bad.kernel = 5, bad.padding = 2;
  EXPECT_FALSE(simd::depthwise_supported(bad));
  bad = good, bad.padding = 0;
  EXPECT_FALSE(simd::depthwise_supported(bad));
  bad = good, bad.stride = 3;
  EXPECT_FALSE(simd::depthwise_supported(bad));
  bad = good, bad.out_channels = 16;
  EXPECT_FALSE(simd::depthwise_supported(bad));
  EXPECT_FALSE(simd::depthwise_supported(testing::pointwise_shape(4, 8, 8)));
}

}  // namespace
}  // namespace edgeprune
