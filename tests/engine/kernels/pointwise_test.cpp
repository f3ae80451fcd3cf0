#include "engine/kernels/simd/pointwise.h"

#include <gtest/gtest.h>

#include "tests/support/simd_targets.h"
#include "tests/support/training_kernels.h"

namespace edgeprune {
namespace {

using testing::Read;
using testing::TrainingLayer;

simd::PointwiseShape product(const Conv2dShape& s) {
  return {s.batch * s.in_height * s.in_width, s.in_channels, s.out_channels};
}

const testing::TrainingKernels kPointwise{
    [](const TrainingLayer& layer, float* output, const Moments* moments) {
      simd::pointwise_forward(product(layer.shape), layer.input.view(), layer.weights.data(),
                              output, moments);
    },
    [](const TrainingLayer& layer, float* grad_input, const GradientSums* sums,
       float* grad_weights) {
      simd::pointwise_backward(product(layer.shape), layer.grad.view(), layer.input.view(),
                               layer.weights.data(), {grad_input, sums, grad_weights});
    }};

std::vector<Conv2dShape> mobilenet_v2_pointwise_shapes(int64_t batch) {
  std::vector<Conv2dShape> shapes;
  for (Conv2dShape shape : testing::mobilenet_v2_shapes()) {
    if (!shape.pointwise()) continue;
    shape.batch = batch;
    shapes.push_back(shape);
  }
  return shapes;
}

Conv2dShape shape_of(int64_t rows, int64_t in, int64_t out) {
  return {.batch = rows, .in_channels = in, .out_channels = out};
}

/// Around the vectors' lengths, the register tiles, the depth of a product at once and the blocks
/// of rows.
std::vector<Conv2dShape> odd_pointwise_shapes() {
  std::vector<Conv2dShape> shapes;
  for (const auto& [in, out] : {std::pair{1, 1},
                                {1, 17},
                                {17, 1},
                                {3, 7},
                                {13, 20},
                                {20, 13},
                                {33, 17},
                                {50, 48},
                                {161, 9},
                                {7, 170}}) {
    for (const int64_t rows : {1, 7, 8, 9, 33, 100, 257, 515}) {
      shapes.push_back(shape_of(rows, in, out));
    }
  }
  return shapes;
}

class SimdPointwise : public testing::OnEveryTarget {};

TEST_P(SimdPointwise, ForwardMatchesTheReferenceOnMobileNetV2) {
  for (const Conv2dShape& shape : mobilenet_v2_pointwise_shapes(1)) {
    expect_forward_matches(kPointwise, {shape, Read::as_it_is, Read::as_it_is});
    expect_forward_matches(kPointwise, {shape, Read::normalized, Read::as_it_is});
  }
  for (const Conv2dShape& shape : mobilenet_v2_pointwise_shapes(3)) {
    expect_forward_matches(kPointwise, {shape, Read::clipped, Read::as_it_is});
  }
}

TEST_P(SimdPointwise, BackwardMatchesTheReferenceOnMobileNetV2) {
  for (const Conv2dShape& shape : mobilenet_v2_pointwise_shapes(1)) {
    expect_backward_matches(kPointwise, {shape, Read::as_it_is, Read::as_it_is});
    expect_backward_matches(kPointwise, {shape, Read::normalized, Read::clipped});
  }
  for (const Conv2dShape& shape : mobilenet_v2_pointwise_shapes(3)) {
    expect_backward_matches(kPointwise, {shape, Read::clipped, Read::normalized});
  }
}

TEST_P(SimdPointwise, ForwardMatchesTheReferenceOnOddShapes) {
  for (const Conv2dShape& shape : odd_pointwise_shapes()) {
    for (const Read input : {Read::as_it_is, Read::normalized, Read::clipped}) {
      expect_forward_matches(kPointwise, {shape, input, Read::as_it_is});
    }
  }
}

TEST_P(SimdPointwise, BackwardMatchesTheReferenceOnOddShapes) {
  for (const Conv2dShape& shape : odd_pointwise_shapes()) {
    for (const auto& [input, grad] : testing::all_read_pairs()) {
      expect_backward_matches(kPointwise, {shape, input, grad});
    }
  }
}

TEST_P(SimdPointwise, TensorsTooLargeForTheCachesComeOutTheSame) {
  for (const auto& [in, out] : {std::pair{3, 16}, {16, 3}}) {
    const TrainingLayer layer(shape_of(131104, in, out), Read::clipped, Read::clipped);
    testing::expect_forward_matches(kPointwise, layer);
    testing::expect_backward_matches(kPointwise, layer, {{true, true, true}, {true, false, false}});
  }
}

TEST_P(SimdPointwise, EachGradientComesAlone) {
  testing::expect_each_gradient_comes_alone(kPointwise, shape_of(100, 20, 13));
  testing::expect_each_gradient_comes_alone(kPointwise, shape_of(9, 161, 33));
}

TEST_P(SimdPointwise, RepeatsBitForBitAndHardlyDependsOnTheThreadCount) {
  for (const Conv2dShape& shape : mobilenet_v2_pointwise_shapes(3)) {
    testing::expect_repeats_with_any_thread_count(kPointwise, shape);
  }
  testing::expect_repeats_with_any_thread_count(kPointwise, shape_of(17, 13, 20));
  testing::expect_repeats_with_any_thread_count(kPointwise, shape_of(515, 20, 13));
}

TEST_P(SimdPointwise, AMeanFarFromZeroDoesNotSpoilTheVariance) {
  TrainingLayer layer(shape_of(1000, 20, 13), Read::as_it_is, Read::as_it_is);
  for (float& x : layer.input.data.values()) x = 1 + 1e-3f * x;
  for (float& w : layer.weights.values()) w = 100 + w;
  for (const int threads : {1, 2, 3}) {
    const ThreadScope scope(threads);
    const testing::ForwardResult actual = run_forward(kPointwise, layer);
    EXPECT_GT(actual.mean.data()[0], 1000 * std::sqrt(actual.variance.data()[0]));
    testing::expect_moments_of(actual.output, actual.mean, actual.variance);
  }
}

TEST_P(SimdPointwise, NothingIsLeftInRecycledMemory) {
  for (const Conv2dShape& shape : {shape_of(1, 1, 1), shape_of(9, 13, 20), shape_of(257, 20, 13)}) {
    testing::expect_nothing_left_in_recycled_memory(kPointwise, shape);
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdPointwise);

}  // namespace
}  // namespace edgeprune
