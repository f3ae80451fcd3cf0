#include "engine/kernels/simd/direct_conv2d.h"

#include <gtest/gtest.h>

#include "tests/support/simd_targets.h"
#include "tests/support/training_kernels.h"

namespace edgeprune {
namespace {

using testing::Read;
using testing::TrainingLayer;
using testing::Wanted;

const testing::TrainingKernels kDirectConv2d{
    [](const TrainingLayer& layer, float* output, const Moments* moments) {
      simd::direct_forward(layer.shape, layer.input.data.data(), layer.weights.data(), output,
                           moments);
    },
    [](const TrainingLayer& layer, float*, const GradientSums*, float* grad_weights) {
      simd::direct_backward_weights(layer.shape, layer.grad.view(), layer.input.data.data(),
                                    grad_weights);
    }};
constexpr Wanted kWeightsOnly{.grad_input = false, .sums = false, .grad_weights = true};

Conv2dShape stem(int64_t batch) {
  Conv2dShape shape = testing::mobilenet_v2_shapes().front();
  shape.batch = batch;
  return shape;
}

/// Around the vectors' lengths and the register tiles; windows that lie in the padding.
std::vector<Conv2dShape> odd_direct_shapes() {
  std::vector<Conv2dShape> shapes;
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t padding : {0, 1, 2, 5}) {
        for (const auto& [in, out] : {std::pair{1, 1}, {3, 32}, {4, 9}, {5, 47}}) {
          shapes.push_back({.batch = 2,
                            .in_height = 5,
                            .in_width = 7 + stride,
                            .in_channels = in,
                            .out_channels = out,
                            .kernel = kernel,
                            .stride = stride,
                            .padding = padding});
        }
      }
    }
  }
  return shapes;
}

class SimdDirectConv2d : public testing::OnEveryTarget {};

TEST_P(SimdDirectConv2d, MatchesTheReferenceOnMobileNetV2) {
  for (const int64_t batch : {1, 3}) {
    for (const Read grad : {Read::as_it_is, Read::normalized, Read::clipped}) {
      const TrainingLayer layer(stem(batch), Read::as_it_is, grad);
      testing::expect_forward_matches(kDirectConv2d, layer);
      testing::expect_backward_matches(kDirectConv2d, layer, {kWeightsOnly});
    }
  }
}

TEST_P(SimdDirectConv2d, MatchesTheReferenceOnOddShapes) {
  for (const Conv2dShape& shape : odd_direct_shapes()) {
    for (const int threads : {1, 2}) {
      const ThreadScope scope(threads);
      const TrainingLayer layer(shape, Read::as_it_is, Read::clipped);
      testing::expect_forward_matches(kDirectConv2d, layer);
      testing::expect_backward_matches(kDirectConv2d, layer, {kWeightsOnly});
    }
  }
}

TEST_P(SimdDirectConv2d, TensorsTooLargeForTheCachesComeOutTheSame) {
  Conv2dShape shape = stem(17);
  shape.out_channels = 128;  // 8.5 MB
  testing::expect_forward_matches(kDirectConv2d, {shape, Read::as_it_is, Read::as_it_is});
}

TEST_P(SimdDirectConv2d, RepeatsBitForBitAndHardlyDependsOnTheThreadCount) {
  const TrainingLayer layer(stem(3), Read::as_it_is, Read::clipped);
  const auto run = [&](int threads) {
    const ThreadScope scope(threads);
    const testing::ForwardResult forward = run_forward(kDirectConv2d, layer);
    const testing::BackwardResult backward = run_backward(kDirectConv2d, layer, kWeightsOnly);
    return std::vector<Tensor>{forward.output, backward.grad_weights, forward.mean,
                               forward.variance};
  };
  const auto one = run(1);
  for (const int threads : {1, 2, 3}) {
    const auto some = run(threads), again = run(threads);
    for (size_t i = 0; i < some.size(); ++i) {
      EXPECT_TRUE(testing::identical(some[i], again[i])) << threads << " threads, result " << i;
      EXPECT_LE(testing::relative_error(some[i], one[i]), testing::kKernelTolerance);
    }
  }
}

TEST_P(SimdDirectConv2d, NothingIsLeftInRecycledMemory) {
  TrainingLayer poison(stem(2), Read::as_it_is, Read::normalized);
  poison.input.data.fill(NAN);
  poison.weights.fill(NAN);
  poison.grad.data.fill(NAN);
  run_forward(kDirectConv2d, poison);
  run_backward(kDirectConv2d, poison, kWeightsOnly);
  const TrainingLayer layer(stem(2), Read::as_it_is, Read::clipped);
  testing::expect_forward_matches(kDirectConv2d, layer);
  testing::expect_backward_matches(kDirectConv2d, layer, {kWeightsOnly});
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdDirectConv2d);

}  // namespace
}  // namespace edgeprune
