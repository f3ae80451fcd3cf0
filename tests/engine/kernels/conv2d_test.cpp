// The plain loops against numbers worked out by hand and against their own adjoints, then oneDNN
// against the plain loops on every shape.

#include "engine/kernels/onednn/conv2d.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::identical;
using testing::random_tensor;
using testing::relative_error;

constexpr double kTolerance = 1e-5;

Tensor input_of(const Conv2dShape& s) {
  return random_tensor({s.batch, s.in_height, s.in_width, s.in_channels}, 1);
}
Tensor weights_of(const Conv2dShape& s) {
  return random_tensor({s.out_channels, s.in_channels / s.groups, s.kernel, s.kernel}, 2);
}
Tensor output_of(const Conv2dShape& s, uint64_t seed) {
  return random_tensor({s.batch, s.out_height(), s.out_width(), s.out_channels}, seed);
}

/// MobileNetV2's shapes at batch 1 and 2, the odd ones at batch 3. oneDNN takes some 20 ms to
/// compile a primitive, so no test below makes two for one of these.
std::vector<Conv2dShape> all_shapes() {
  std::vector<Conv2dShape> shapes;
  const auto append = [&](const std::vector<Conv2dShape>& more, int64_t batch) {
    for (Conv2dShape shape : more) {
      shape.batch = batch;
      shapes.push_back(shape);
    }
  };
  append(testing::mobilenet_v2_shapes(), 1);
  append(testing::mobilenet_v2_shapes(), 2);
  append(testing::odd_shapes(), 3);
  return shapes;
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.count(); ++i) sum += double(a.data()[i]) * b.data()[i];
  return sum;
}

TEST(ReferenceConv2d, MatchesNumbersWorkedOutByHand) {
  // One 3x3 image 1..9, a kernel that adds a pixel's left and right neighbours' difference.
  const Conv2dShape shape{.in_height = 3, .in_width = 3, .kernel = 3, .padding = 1};
  const std::vector<float> image{1, 2, 3, 4, 5, 6, 7, 8, 9}, kernel{0, 0, 0, -1, 0, 1, 0, 10, 0};
  const float bias = 0.5f;
  Tensor output({1, 3, 3, 1});
  reference::conv2d_forward(shape, image.data(), kernel.data(), &bias, nullptr, Activation::none,
                            output.data());
  EXPECT_EQ(testing::values_of(output),
            (std::vector<float>{42.5f, 52.5f, 58.5f, 75.5f, 82.5f, 85.5f, 8.5f, 2.5f, -7.5f}));
  const Tensor residual({1, 3, 3, 1}, -50.0f);
  reference::conv2d_forward(shape, image.data(), kernel.data(), &bias, residual.data(),
                            Activation::relu6, output.data());
  EXPECT_EQ(testing::values_of(output), (std::vector<float>{0, 2.5f, 6, 6, 6, 6, 0, 0, 0}));
}

TEST(ReferenceConv2d, StrideTwoReadsEverySecondPixel) {
  const Conv2dShape shape{.in_height = 4, .in_width = 3, .kernel = 1, .stride = 2};
  const std::vector<float> image{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, kernel{2};
  Tensor output({1, 2, 2, 1});
  reference::conv2d_forward(shape, image.data(), kernel.data(), nullptr, nullptr, Activation::none,
                            output.data());
  EXPECT_EQ(testing::values_of(output), (std::vector<float>{0, 4, 12, 16}));
}

TEST(ReferenceConv2d, BackwardFunctionsAreTheAdjoints) {
  // conv is linear in each argument: <conv(x, w), g> = <x, backward_data(g, w)> = <w,
  // backward_weights(x, g)>.
  for (Conv2dShape shape : testing::odd_shapes()) {
    shape.batch = 2;
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor x = input_of(shape), w = weights_of(shape), g = output_of(shape, 3);
    Tensor y(g.shape()), grad_x(x.shape()), grad_w(w.shape());
    reference::conv2d_forward(shape, x.data(), w.data(), nullptr, nullptr, Activation::none,
                              y.data());
    reference::conv2d_backward_data(shape, g.data(), w.data(), grad_x.data());
    reference::conv2d_backward_weights(shape, x.data(), g.data(), grad_w.data());
    const double scale = std::sqrt(dot(y, y) * dot(g, g));
    EXPECT_NEAR(dot(y, g), dot(x, grad_x), 1e-6 * scale);
    EXPECT_NEAR(dot(y, g), dot(w, grad_w), 1e-6 * scale);
  }
}

TEST(OneDnnConv2d, ForwardMatchesTheReference) {
  for (const Conv2dShape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor x = input_of(shape), w = weights_of(shape),
                 b = random_tensor({shape.out_channels}, 3);
    const float* bias = shape.batch == 2 ? nullptr : b.data();
    Tensor expected = output_of(shape, 4), actual = output_of(shape, 5);
    reference::conv2d_forward(shape, x.data(), w.data(), bias, nullptr, Activation::none,
                              expected.data());
    onednn::conv2d_forward(shape, x.data(), w.data(), bias, actual.data());
    EXPECT_LE(relative_error(actual, expected), kTolerance);
  }
}

TEST(OneDnnConv2d, BackwardDataMatchesTheReference) {
  for (const Conv2dShape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor w = weights_of(shape), g = output_of(shape, 3);
    Tensor expected = input_of(shape), actual = input_of(shape);
    reference::conv2d_backward_data(shape, g.data(), w.data(), expected.data());
    onednn::conv2d_backward_data(shape, g.data(), w.data(), actual.data());
    EXPECT_LE(relative_error(actual, expected), kTolerance);
  }
}

TEST(OneDnnConv2d, BackwardWeightsMatchesTheReference) {
  for (const Conv2dShape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor x = input_of(shape), g = output_of(shape, 3);
    Tensor expected = weights_of(shape), actual = weights_of(shape);
    reference::conv2d_backward_weights(shape, x.data(), g.data(), expected.data());
    onednn::conv2d_backward_weights(shape, x.data(), g.data(), actual.data());
    EXPECT_LE(relative_error(actual, expected), kTolerance);
  }
}

TEST(FusedConv2d, AddsBiasAndResidualThenClips) {
  for (const Conv2dShape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor x = input_of(shape), w = weights_of(shape),
                 bias = random_tensor({shape.out_channels}, 3);
    const Tensor residual = output_of(shape, 4);
    for (const Activation activation : values_in(kActivations)) {
      if ((activation == Activation::none) != (shape.batch == 1)) continue;
      const float* added = shape.batch != 1 && shape.groups == 1 ? residual.data() : nullptr;
      Tensor expected = output_of(shape, 5), actual = output_of(shape, 6);
      reference::conv2d_forward(shape, x.data(), w.data(), bias.data(), added, activation,
                                expected.data());
      onednn::FusedConv2d conv(shape, w.data(), bias.data(), activation, added != nullptr);
      conv.run(x.data(), added, actual.data());
      EXPECT_LE(relative_error(actual, expected), kTolerance) << name_of(kActivations, activation);
    }
  }
}

// oneDNN's scratch memory must not be shared, either: these shapes copy their input to it.
TEST(FusedConv2d, ThreadsMayCallItAtOnce) {
  for (const auto& [channels, kernel, residual] :
       {std::tuple{3, 3, false}, {8, 3, false}, {6, 1, false}, {8, 3, true}, {33, 1, true}}) {
    const Conv2dShape s{.in_height = 12,
                        .in_width = 12,
                        .in_channels = channels,
                        .out_channels = 8,
                        .kernel = kernel,
                        .padding = kernel / 2};
    const Tensor w = weights_of(s), bias = random_tensor({8}, 2), added = output_of(s, 3);
    constexpr int kInputs = 4, kCalls = 20000;
    std::vector<Tensor> inputs, expected;
    const ThreadScope one(1);
    onednn::FusedConv2d conv(s, w.data(), bias.data(), Activation::relu6, residual);
    const auto run = [&](int64_t i, Tensor& output) {
      conv.run(inputs[i % kInputs].data(), residual ? added.data() : nullptr, output.data());
    };
    for (int i = 0; i < kInputs; ++i) {
      inputs.push_back(random_tensor({s.input_count()}, 10 + i));
      expected.emplace_back(Shape{s.output_count()});
      run(i, expected.back());
    }
    const ThreadScope several(2);
    std::atomic<int> wrong = 0;
    parallel_for(kCalls, 1, [&](int64_t begin, int64_t end, int) {
      const ThreadScope own(1);
      Tensor output({s.output_count()});
      for (int64_t i = begin; i < end; ++i) {
        run(i, output);
        wrong += identical(output, expected[i % kInputs]) ? 0 : 1;
      }
    });
    EXPECT_EQ(wrong, 0) << ::testing::PrintToString(s);
  }
}

TEST(FusedConv2d, RefusesAResidualBehindAGroupedConvolution) {
  const Conv2dShape shape = testing::depthwise_shape(1, 1, 17, 1);
  const Tensor w = weights_of(shape), bias({17}, 0.0f);
  EXPECT_THROW(onednn::FusedConv2d(shape, w.data(), bias.data(), Activation::none, true),
               std::invalid_argument);
}

TEST(FusedConv2d, CopiesItsWeightsAndMayBeMoved) {
  const Conv2dShape shape = testing::pointwise_shape(3, 5, 7);
  const Tensor x = input_of(shape);
  Tensor w = weights_of(shape), bias({7}, 1.0f), expected = output_of(shape, 1),
         actual = output_of(shape, 2);
  reference::conv2d_forward(shape, x.data(), w.data(), bias.data(), nullptr, Activation::none,
                            expected.data());
  onednn::FusedConv2d made(shape, w.data(), bias.data(), Activation::none, false);
  w.fill(0.0f);
  bias.fill(0.0f);
  onednn::FusedConv2d moved = std::move(made);
  moved.run(x.data(), nullptr, actual.data());
  EXPECT_LE(relative_error(actual, expected), kTolerance);
}

TEST(OneDnnConv2d, RepeatsBitForBitAndHardlyDependsOnTheThreadCount) {
  const auto shapes = testing::mobilenet_v2_shapes();
  for (Conv2dShape shape : {shapes.front(), shapes[3], shapes[13], shapes[22], shapes.back()}) {
    shape.batch = 3;
    SCOPED_TRACE(::testing::PrintToString(shape));
    const Tensor x = input_of(shape), w = weights_of(shape), g = output_of(shape, 3);
    const auto run = [&](int threads) {
      const ThreadScope scope(threads);
      std::vector<Tensor> results{output_of(shape, 4), input_of(shape), weights_of(shape)};
      onednn::conv2d_forward(shape, x.data(), w.data(), nullptr, results[0].data());
      onednn::conv2d_backward_data(shape, g.data(), w.data(), results[1].data());
      onednn::conv2d_backward_weights(shape, x.data(), g.data(), results[2].data());
      return results;
    };
    const auto one = run(1), two = run(2), again = run(2);
    for (size_t i = 0; i < two.size(); ++i) {
      EXPECT_TRUE(identical(two[i], again[i]));
      EXPECT_LE(relative_error(two[i], one[i]), kTolerance);
    }
  }
}

TEST(OneDnn, NamesItsVersion) {
  EXPECT_NE(std::string(onednn::version()).find('.'), std::string::npos);
}

}  // namespace
}  // namespace edgeprune
