// The vectorised product against the scalar one, and that one against the dense reference
// convolution.

#include "engine/sparse/spmm.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::sparse {
namespace {

using testing::random_sparse_tensor;
using testing::random_tensor;
using testing::relative_error;

constexpr double kTolerance = 1e-5;

/// A product's arguments, activations as matrices and as panels.
struct Product {
  Product(Tensor dense_weights, int64_t column_count)
      : dense(std::move(dense_weights)),
        weights(CsrMatrix::from_dense(dense.data(), dense.dim(0), dense.dim(1))),
        columns(column_count),
        input(random_tensor({weights.columns, columns}, 2)),
        residual(random_tensor({weights.rows, columns}, 3)),
        input_panels(testing::to_panels(input)),
        residual_panels(testing::to_panels(residual)),
        bias(random_tensor({weights.rows}, 4)) {}

  using Function = decltype(&spmm);
  Tensor run(Function function, bool add_residual, Activation activation) const {
    const PanelLayout panels{weights.rows, columns};
    Tensor output({panels.size()}, -1.0f);
    function(weights, columns, input_panels.data(), bias.data(),
             add_residual ? residual_panels.data() : nullptr, activation, output.data());
    return testing::from_panels(output, panels);
  }

  /// The same as a dense 1x1 convolution over one row of pixels.
  Tensor run_reference(bool add_residual, Activation activation) const {
    const Conv2dShape shape{
        .in_width = columns, .in_channels = weights.columns, .out_channels = weights.rows};
    const auto to_pixels = [](const Tensor& matrix) {
      return nchw_to_nhwc(matrix.reshape({1, matrix.dim(0), 1, matrix.dim(1)}));
    };
    const Tensor pixels = to_pixels(input), added = to_pixels(residual);
    Tensor output({1, 1, columns, weights.rows});
    reference::conv2d_forward(shape, pixels.data(), dense.data(), bias.data(),
                              add_residual ? added.data() : nullptr, activation, output.data());
    return nhwc_to_nchw(output).reshape({weights.rows, columns});
  }

  Tensor dense;
  CsrMatrix weights;
  int64_t columns;
  Tensor input, residual, input_panels, residual_panels, bias;
};

std::vector<Shape> pointwise_weights() {
  std::vector<Shape> shapes;
  for (const Conv2dShape& s : testing::mobilenet_v2_shapes()) {
    if (s.pointwise()) shapes.push_back({s.out_channels, s.in_channels});
  }
  for (const auto& [rows, columns] : {std::pair{1, 1}, {1, 33}, {7, 3}, {17, 24}}) {
    shapes.push_back({rows, columns});
  }
  return shapes;
}

TEST(ScalarSpmm, MatchesTheDenseReference) {
  for (const Shape& shape : pointwise_weights()) {
    for (const int64_t columns : {1, 3, 65}) {
      SCOPED_TRACE(shape.to_string() + " x " + std::to_string(columns));
      const Product product(random_sparse_tensor(shape, 1, 0.5), columns);
      EXPECT_LE(relative_error(product.run(spmm_scalar, false, Activation::none),
                               product.run_reference(false, Activation::none)),
                kTolerance);
      EXPECT_LE(relative_error(product.run(spmm_scalar, true, Activation::relu6),
                               product.run_reference(true, Activation::relu6)),
                kTolerance);
    }
  }
}

class Spmm : public testing::OnEveryTarget {};

TEST_P(Spmm, MatchesTheScalarOneOnEveryShape) {
  for (const Shape& shape : pointwise_weights()) {
    for (const int64_t columns : {1, 3, 4, 16, 63, 64, 65, 200, 1024}) {
      // Many columns belong to the early layers, which are small.
      if (columns > 100 && shape.count() > 30000) continue;
      SCOPED_TRACE(shape.to_string() + " x " + std::to_string(columns));
      const Product product(random_sparse_tensor(shape, 1, 0.8), columns);
      for (const bool everything : {false, true}) {
        const Activation activation = everything ? Activation::relu6 : Activation::none;
        EXPECT_LE(relative_error(product.run(spmm, everything, activation),
                                 product.run(spmm_scalar, everything, activation)),
                  kTolerance);
      }
    }
  }
}

TEST_P(Spmm, FullyDenseWeightsAreFine) {
  const Product product(random_tensor({24, 33}, 1, 0.5f, 1), 65);
  ASSERT_EQ(product.weights.nnz(), 24 * 33);
  EXPECT_LE(relative_error(product.run(spmm, true, Activation::none),
                           product.run_reference(true, Activation::none)),
            kTolerance);
}

TEST_P(Spmm, AllZeroWeightsLeaveBiasAndResidual) {
  const Product product(Tensor({7, 5}, 0.0f), 67);
  const Tensor output = product.run(spmm, true, Activation::relu6);
  for (int64_t row = 0; row < 7; ++row) {
    for (int64_t column = 0; column < 67; ++column) {
      const float sum = product.bias.data()[row] + product.residual.data()[row * 67 + column];
      ASSERT_EQ(output.data()[row * 67 + column], std::clamp(sum, 0.0f, 6.0f));
    }
  }
}

TEST_P(Spmm, EmptyRowsAreTheBias) {
  Tensor weights = random_tensor({20, 9}, 1);
  for (const int64_t row : {0, 7, 8, 19}) std::fill_n(weights.data() + row * 9, 9, 0.0f);
  const Product product(weights, 64);
  EXPECT_LE(relative_error(product.run(spmm, false, Activation::none),
                           product.run_reference(false, Activation::none)),
            kTolerance);
  const Tensor output = product.run(spmm, false, Activation::none);
  EXPECT_EQ(output.data()[7 * 64 + 5], product.bias.data()[7]);
}

TEST_P(Spmm, DoesNotDependOnTheThreadCount) {
  const Product product(random_sparse_tensor({96, 24}, 1, 0.5), 200);
  const auto run = [&](int threads) {
    const ThreadScope scope(threads);
    return product.run(spmm, true, Activation::relu6);
  };
  const Tensor one = run(1);
  EXPECT_TRUE(testing::identical(one, run(2)));
  EXPECT_TRUE(testing::identical(one, run(3)));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(Spmm);

}  // namespace
}  // namespace edgeprune::sparse
