#include "engine/kernels/simd/conv2d.h"

#include <gtest/gtest.h>

#include <stdexcept>

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

constexpr double kConv2dTolerance = 1e-5;

Conv2dShape conv_shape(int64_t batch, int64_t size, int64_t in, int64_t out, int64_t kernel,
                       int64_t stride) {
  return {batch, size, size, in, out, kernel, stride, kernel / 2, 1};
}

/// MobileNetV2's but for the depthwise ones, one of each kind of ResNets' and MobileNetV3's, and odd
/// ones: windows in the padding, channels around the vectors' and register tiles' lengths.
std::vector<Conv2dShape> dense_shapes() {
  std::vector<Conv2dShape> result{
      conv_shape(1, 64, 3, 64, 7, 2),   conv_shape(1, 28, 64, 256, 1, 1),
      conv_shape(1, 28, 128, 64, 1, 2), conv_shape(1, 14, 128, 128, 3, 2),
      conv_shape(2, 7, 512, 100, 1, 1), conv_shape(16, 1, 288, 576, 1, 1),
      conv_shape(1, 112, 16, 16, 1, 1), conv_shape(1, 64, 3, 16, 3, 2),
      conv_shape(1, 14, 40, 240, 1, 1)};
  for (const auto& list : {testing::mobilenet_v2_shapes(), testing::odd_shapes()}) {
    for (Conv2dShape shape : list) {
      if (shape.groups == 1) shape.batch = 3, result.push_back(shape);
    }
  }
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t padding : {0, 1, 2, 5}) {
        for (const auto& [in, out] : {std::pair{1, 1}, {8, 50}, {5, 47}}) {
          result.push_back({2, 5, 7 + stride, in, out, kernel, stride, padding, 1});
        }
      }
    }
  }
  return result;
}

struct PlainLayer : testing::DenseLayer {
  using DenseLayer::DenseLayer;

  Tensor run(Activation activation, bool add_residual) const {
    const simd::Conv2d conv(shape, weights.data(), bias.data(), activation);
    Output output(residual.shape()), scratch({conv.scratch_size()});
    conv.run(input.data(), add_residual ? residual.data() : nullptr, output.data(), scratch.data());
    scratch.written();
    return output.written();
  }
};

class SimdConv2d : public testing::OnEveryTarget {};

TEST_P(SimdConv2d, MatchesTheReferenceOnEveryShapeAndThreadCount) {
  for (const Conv2dShape& shape : dense_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const PlainLayer layer(shape);
    const Tensor expected = layer.expected(Activation::none, true);
    const auto run = [&](int threads) {
      const ThreadScope scope(threads);
      return layer.run(Activation::none, true);
    };
    const Tensor one = run(1);
    EXPECT_LE(testing::relative_error(one, expected), kConv2dTolerance);
    for (const int threads : {2, 3}) EXPECT_TRUE(identical(run(threads), one)) << threads;
  }
}

TEST_P(SimdConv2d, EndsInEveryActivation) {
  for (const Conv2dShape& shape : {conv_shape(1, 6, 9, 18, 3, 1), conv_shape(2, 9, 16, 32, 1, 1)}) {
    const PlainLayer layer(shape);
    for (const auto& [activation, name, formula] : kActivations) {
      for (const bool residual : {false, true}) {
        EXPECT_LE(testing::relative_error(layer.run(activation, residual),
                                          layer.expected(activation, residual)),
                  kConv2dTolerance)
            << name;
      }
    }
  }
}

TEST_P(SimdConv2d, TheResidualMayBeTheOutput) {
  const PlainLayer layer(conv_shape(1, 9, 16, 33, 3, 1));
  const simd::Conv2d conv(layer.shape, layer.weights.data(), layer.bias.data(), Activation::relu);
  Tensor output = layer.residual.clone(), scratch({conv.scratch_size()});
  conv.run(layer.input.data(), output.data(), output.data(), scratch.data());
  EXPECT_TRUE(identical(output, layer.run(Activation::relu, true)));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdConv2d);

TEST(SimdConv2dShapes, GroupsAreRefused) {
  Conv2dShape shape = conv_shape(1, 6, 4, 6, 3, 1);
  shape.groups = 2;
  const Tensor weights({6, 2, 3, 3}, 0.0f), bias({6}, 0.0f);
  EXPECT_EQ(testing::message_of<std::invalid_argument>(
                [&] { simd::Conv2d(shape, weights.data(), bias.data(), Activation::none); }),
            "[Conv2d] expected a convolution of one group, got 2");
}

}  // namespace
}  // namespace edgeprune
