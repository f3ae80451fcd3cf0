#include "engine/kernels/simd/depthwise.h"

#include <gtest/gtest.h>

#include <tuple>

#include "tests/support/simd_targets.h"
#include "tests/support/training_kernels.h"

namespace edgeprune {
namespace {

using testing::Output;
using testing::Read;
using testing::TrainingLayer;

const testing::TrainingKernels kDepthwise{
    [](const TrainingLayer& layer, float* output, const Moments* moments) {
      const int64_t channels = layer.shape.in_channels, kernel = layer.shape.kernel;
      Tensor taps({kernel * kernel, channels});
      simd::filters_to_taps(layer.weights.data(), channels, taps.data(), kernel);
      simd::depthwise_forward(layer.shape, layer.input.view(), taps.data(), output, moments);
    },
    [](const TrainingLayer& layer, float* grad_input, const GradientSums* sums,
       float* grad_weights) {
      const int64_t channels = layer.shape.in_channels, kernel = layer.shape.kernel;
      Tensor taps({kernel * kernel, channels});
      simd::filters_to_taps(layer.weights.data(), channels, taps.data(), kernel);
      Output grad_taps(taps.shape());
      simd::depthwise_backward(
          layer.shape, layer.grad.view(), layer.input.view(), taps.data(),
          {grad_input, sums, grad_weights != nullptr ? grad_taps.data() : nullptr});
      if (grad_weights == nullptr) return;
      simd::taps_to_filters(grad_taps.written().data(), channels, grad_weights, kernel);
    }};

std::vector<Conv2dShape> mobilenet_v2_depthwise_shapes(int64_t batch) {
  std::vector<Conv2dShape> shapes;
  for (Conv2dShape shape : testing::mobilenet_v2_shapes()) {
    if (!simd::depthwise_supported(shape)) continue;
    shape.batch = batch;
    shapes.push_back(shape);
  }
  return shapes;
}

Conv2dShape with_5x5(Conv2dShape shape) {
  shape.kernel = 5, shape.padding = 2;
  return shape;
}

/// Batches around the number of images that a block of rows takes.
std::vector<Conv2dShape> odd_depthwise_shapes() {
  std::vector<Conv2dShape> shapes;
  for (Conv2dShape shape : testing::odd_depthwise_shapes()) {
    for (const int64_t batch : {1, 3, 7}) {
      shape.batch = batch;
      shapes.push_back(shape);
    }
  }
  for (const int64_t stride : {1, 2}) {
    shapes.push_back(testing::depthwise_shape(1, 1, 20, stride));
    shapes.back().batch = 131;
    shapes.push_back(testing::depthwise_shape(1, 17, 13, stride));
    shapes.push_back(testing::depthwise_shape(17, 1, 13, stride));
    shapes.push_back(testing::depthwise_shape(9, 11, 20, stride));
    shapes.back().batch = 2;
  }
  const auto of_three = shapes;
  for (const Conv2dShape& shape : of_three) shapes.push_back(with_5x5(shape));
  return shapes;
}

class SimdDepthwise : public testing::OnEveryTarget {};

TEST_P(SimdDepthwise, InferenceMatchesTheReference) {
  std::vector<Conv2dShape> shapes = odd_depthwise_shapes();
  for (const int64_t batch : {1, 2}) {
    for (const Conv2dShape& shape : mobilenet_v2_depthwise_shapes(batch)) shapes.push_back(shape);
  }
  for (const Conv2dShape& shape : shapes) {
    const TrainingLayer layer(shape, Read::as_it_is, Read::as_it_is);
    SCOPED_TRACE(layer.description);
    const Tensor random_bias = testing::random_tensor({shape.in_channels}, 3);
    Tensor taps({shape.kernel * shape.kernel, shape.in_channels});
    simd::filters_to_taps(layer.weights.data(), shape.in_channels, taps.data(), shape.kernel);
    for (const Activation activation : values_in(kActivations)) {
      for (const float* bias : {static_cast<const float*>(nullptr), random_bias.data()}) {
        Tensor expected(layer.grad.data.shape());
        Output actual(expected.shape());
        reference::conv2d_forward(shape, layer.input.data.data(), layer.weights.data(), bias,
                                  nullptr, activation, expected.data());
        simd::depthwise_forward(shape, layer.input.data.data(), taps.data(), bias, activation,
                                actual.data());
        EXPECT_LE(testing::relative_error(actual.written(), expected), 1e-5);
      }
    }
  }
}

TEST_P(SimdDepthwise, ForwardMatchesTheReference) {
  for (const int64_t batch : {1, 3}) {
    for (const Conv2dShape& shape : mobilenet_v2_depthwise_shapes(batch)) {
      expect_forward_matches(kDepthwise, {shape, Read::as_it_is, Read::as_it_is});
      expect_forward_matches(kDepthwise, {shape, Read::clipped, Read::as_it_is});
    }
  }
  for (const Conv2dShape& shape : odd_depthwise_shapes()) {
    for (const Read input : testing::kReads) {
      expect_forward_matches(kDepthwise, {shape, input, Read::as_it_is});
    }
  }
}

TEST_P(SimdDepthwise, BackwardMatchesTheReference) {
  for (const int64_t batch : {1, 3}) {
    for (const Conv2dShape& shape : mobilenet_v2_depthwise_shapes(batch)) {
      expect_backward_matches(kDepthwise, {shape, Read::as_it_is, Read::as_it_is});
      expect_backward_matches(kDepthwise, {shape, Read::clipped, Read::clipped});
    }
  }
  for (const Conv2dShape& shape : odd_depthwise_shapes()) {
    for (const auto& [input, grad] : testing::all_read_pairs()) {
      expect_backward_matches(kDepthwise, {shape, input, grad});
    }
  }
}

// Those of MobileNetV3 and EfficientNet, and maps of every width around the tiles' of outputs.
TEST_P(SimdDepthwise, LargerWindowsMatchTheReference) {
  std::vector<Conv2dShape> shapes;
  for (const auto& [size, channels, stride] :
       {std::tuple{28, 72, 2}, {28, 120, 1}, {14, 672, 2}, {7, 96, 1}, {14, 96, 2}}) {
    shapes.push_back(testing::depthwise_shape(size, size, channels, stride));
  }
  for (int64_t width = 1; width <= 21; ++width) {
    for (const int64_t stride : {1, 2}) {
      shapes.push_back(testing::depthwise_shape(6, width, 9, stride));
    }
  }
  for (const Conv2dShape& shape : shapes) {
    expect_forward_matches(kDepthwise, {with_5x5(shape), Read::gated, Read::as_it_is});
    expect_backward_matches(kDepthwise, {with_5x5(shape), Read::gated, Read::clipped});
  }
}

TEST_P(SimdDepthwise, TensorsTooLargeForTheCachesComeOutTheSame) {
  for (const int64_t stride : {1, 2}) {
    Conv2dShape three = testing::depthwise_shape(61, 60, 32, stride);
    three.batch = 19;
    for (const Conv2dShape& shape : {three, with_5x5(three)}) {
      const TrainingLayer layer(shape, Read::clipped, Read::clipped);
      expect_forward_matches(kDepthwise, layer);
      expect_backward_matches(kDepthwise, layer, {{true, true, true}, {true, false, false}});
    }
  }
}

TEST_P(SimdDepthwise, EachGradientComesAlone) {
  for (const int64_t stride : {1, 2}) {
    Conv2dShape shape = testing::depthwise_shape(4, 5, 20, stride);
    shape.batch = 7;
    testing::expect_each_gradient_comes_alone(kDepthwise, shape);
    testing::expect_each_gradient_comes_alone(kDepthwise, with_5x5(shape));
  }
}

// Where registers allow, one walk computes all that is wanted (depthwise_walk-inl.h).
TEST_P(SimdDepthwise, ResultsAreTheSameBitsAloneAndTogether) {
  std::vector<Conv2dShape> shapes = odd_depthwise_shapes();
  for (const Conv2dShape& shape : mobilenet_v2_depthwise_shapes(3)) shapes.push_back(shape);
  for (const int64_t stride : {1, 2}) {
    shapes.push_back(testing::depthwise_shape(61, 60, 32, stride));  // past the caches
    shapes.back().batch = 19;
  }
  for (const Conv2dShape& shape : shapes) {
    const TrainingLayer layer(shape, Read::clipped, Read::clipped);
    SCOPED_TRACE(layer.description);
    EXPECT_TRUE(testing::identical(run_forward(kDepthwise, layer).output,
                                   run_forward(kDepthwise, layer, false).output));
    const auto together = run_backward(kDepthwise, layer);
    const auto input = run_backward(kDepthwise, layer, {true, true, false});
    const auto taps = run_backward(kDepthwise, layer, {false, false, true});
    EXPECT_TRUE(testing::identical(together.grad_input, input.grad_input));
    EXPECT_TRUE(testing::identical(together.sum_grad, input.sum_grad));
    EXPECT_TRUE(testing::identical(together.sum_grad_input, input.sum_grad_input));
    EXPECT_TRUE(testing::identical(together.grad_weights, taps.grad_weights));
  }
}

TEST_P(SimdDepthwise, RepeatsBitForBitAndHardlyDependsOnTheThreadCount) {
  for (const Conv2dShape& shape : mobilenet_v2_depthwise_shapes(3)) {
    testing::expect_repeats_with_any_thread_count(kDepthwise, shape);
  }
  Conv2dShape single_pixels = testing::depthwise_shape(1, 1, 20, 1);
  single_pixels.batch = 131;
  testing::expect_repeats_with_any_thread_count(kDepthwise, single_pixels);
  Conv2dShape larger = with_5x5(testing::depthwise_shape(14, 14, 40, 2));
  larger.batch = 3;
  testing::expect_repeats_with_any_thread_count(kDepthwise, larger);
}

TEST_P(SimdDepthwise, AMeanFarFromZeroDoesNotSpoilTheVariance) {
  Conv2dShape shape = testing::depthwise_shape(6, 5, 20, 1);
  shape.batch = 7;
  TrainingLayer layer(shape, Read::as_it_is, Read::as_it_is);
  // Just the middle tap: padding would make edges outliers.
  for (int64_t i = 0; i < layer.weights.count(); ++i) {
    layer.weights.data()[i] = i % 9 == 4 ? 1.0f : 0.0f;
  }
  for (float& x : layer.input.data.values()) x += 10000.0f;
  for (const int threads : {1, 2, 3}) {
    const ThreadScope scope(threads);
    const testing::ForwardResult actual = run_forward(kDepthwise, layer);
    EXPECT_GT(actual.mean.data()[0], 1000 * std::sqrt(actual.variance.data()[0]));
    testing::expect_moments_of(actual.output, actual.mean, actual.variance);
  }
}

TEST_P(SimdDepthwise, NothingIsLeftInRecycledMemory) {
  for (const int64_t stride : {1, 2}) {
    for (const int64_t channels : {1, 13, 20}) {
      Conv2dShape shape = testing::depthwise_shape(4, 5, channels, stride);
      shape.batch = 7;
      testing::expect_nothing_left_in_recycled_memory(kDepthwise, shape);
      testing::expect_nothing_left_in_recycled_memory(kDepthwise, with_5x5(shape));
    }
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
  EXPECT_TRUE(simd::depthwise_supported(with_5x5(good)));
  Conv2dShape bad = good;
  bad.kernel = 5;
  EXPECT_FALSE(simd::depthwise_supported(bad));
  bad.kernel = 7, bad.padding = 3;
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
