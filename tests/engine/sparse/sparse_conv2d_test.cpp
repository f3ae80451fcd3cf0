#include "engine/sparse/sparse_conv2d.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/base/parallel.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/dense_layer.h"
#include "tests/support/message_of.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::sparse {
namespace {

using testing::conv_shape;
using testing::identical;
using testing::Output;
using testing::random_sparse_tensor;

constexpr double kSparseConvTolerance = 1e-5;

struct SparseLayer : testing::DenseLayer {
  SparseLayer(const Conv2dShape& s, double zeros) : DenseLayer(s) {
    weights = random_sparse_tensor(weights.shape(), 2, zeros);
  }

  Tensor run(Activation activation, bool add_residual) const {
    const SparseConv2d conv(shape, weights.data(), bias.data(), activation);
    Output output(residual.shape()), scratch({conv.scratch_size()});
    conv.run(input.data(), add_residual ? residual.data() : nullptr, output.data(), scratch.data());
    scratch.written();
    return output.written();
  }
};

class SparseConvolution : public testing::OnEveryTarget {};

TEST_P(SparseConvolution, MatchesTheReferenceOnEveryShapeAndThreadCount) {
  for (const Conv2dShape& shape : testing::ungrouped_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    const SparseLayer layer(shape, 0.8);
    const Tensor expected = layer.expected(Activation::none, true);
    const auto run = [&](int threads) {
      const ThreadScope scope(threads);
      return layer.run(Activation::none, true);
    };
    const Tensor one = run(1);
    EXPECT_LE(testing::relative_error(one, expected), kSparseConvTolerance);
    for (const int threads : {2, 3}) EXPECT_TRUE(identical(run(threads), one)) << threads;
  }
}

TEST_P(SparseConvolution, MatchesTheReferenceAtEverySparsityAndNumberOfImages) {
  for (const double zeros : {0.0, 0.5, 0.95, 1.0}) {
    for (const int64_t batch : {1, 2, 5, 16, 48}) {
      for (const int64_t size : {1, 2, 4, 7, 15}) {
        for (const int64_t stride : {1, 2}) {
          const SparseLayer layer(conv_shape(batch, size, 18, 20, 3, stride), zeros);
          SCOPED_TRACE(::testing::PrintToString(layer.shape));
          EXPECT_LE(testing::relative_error(layer.run(Activation::relu, false),
                                            layer.expected(Activation::relu, false)),
                    kSparseConvTolerance)
              << zeros;
        }
      }
    }
  }
}

TEST_P(SparseConvolution, EndsInEveryActivation) {
  const SparseLayer layer(conv_shape(2, 6, 9, 18, 3, 1), 0.6);
  for (const auto& [activation, name, formula] : kActivations) {
    for (const bool residual : {false, true}) {
      EXPECT_LE(testing::relative_error(layer.run(activation, residual),
                                        layer.expected(activation, residual)),
                kSparseConvTolerance)
          << name;
    }
  }
}

TEST_P(SparseConvolution, TheResidualMayBeTheOutput) {
  const SparseLayer layer(conv_shape(1, 9, 16, 33, 3, 1), 0.7);
  const SparseConv2d conv(layer.shape, layer.weights.data(), layer.bias.data(), Activation::relu);
  Tensor output = layer.residual.clone(), scratch({conv.scratch_size()});
  conv.run(layer.input.data(), output.data(), output.data(), scratch.data());
  EXPECT_TRUE(identical(output, layer.run(Activation::relu, true)));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SparseConvolution);

TEST(SparseConvolutionWeights, AreCounted) {
  const Conv2dShape shape = conv_shape(1, 6, 2, 3, 3, 1);
  Tensor weights({3, 2, 3, 3}, 0.0f);
  for (const int64_t i : {0, 17, 18, 40, 41, 52}) weights.data()[i] = 1;
  const Tensor bias({3}, 0.0f);
  const SparseConv2d conv(shape, weights.data(), bias.data(), Activation::none);
  EXPECT_DOUBLE_EQ(conv.density(), 6.0 / 54.0);
  EXPECT_GE(conv.weight_bytes(), 6 * 6);
}

TEST(SparseConvolutionWeights, OfGroupsAreRefused) {
  Conv2dShape shape = conv_shape(1, 6, 4, 6, 3, 1);
  shape.groups = 2;
  const Tensor weights({6, 2, 3, 3}, 0.0f), bias({6}, 0.0f);
  EXPECT_EQ(testing::message_of<std::invalid_argument>(
                [&] { SparseConv2d(shape, weights.data(), bias.data(), Activation::none); }),
            "[SparseConv2d] expected a convolution of one group, got 2");
}

}  // namespace
}  // namespace edgeprune::sparse
