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

using testing::conv_shape;
using testing::identical;
using testing::Output;

constexpr double kConv2dTolerance = 1e-5;

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
  for (const Conv2dShape& shape : testing::ungrouped_shapes()) {
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
