// The vectorised product against the scalar one, and that one against the dense reference
// convolution.

#include "engine/sparse/spmm.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "tests/engine/sparse/product.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/simd_targets.h"

namespace edgeprune::sparse {
namespace {

using testing::Product;
using testing::random_sparse_tensor;
using testing::random_tensor;
using testing::relative_error;

constexpr double kTolerance = 1e-5;

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

void expect_matches_scalar(const Product& product, const std::string& what) {
  SCOPED_TRACE(what + " " + product.dense.shape().to_string() + " x " +
               std::to_string(product.columns));
  EXPECT_LE(relative_error(product.run(false, Activation::none),
                           product.run_scalar(false, Activation::none)),
            kTolerance);
  for (const Activation activation : values_in(kActivations)) {
    if (activation == Activation::none) continue;
    const Tensor expected = product.run_scalar(true, activation);
    EXPECT_LE(relative_error(product.run(true, activation), expected), kTolerance);
    EXPECT_LE(relative_error(product.run_in_place(activation), expected), kTolerance);
  }
}

TEST(ScalarSpmm, MatchesTheDenseReference) {
  for (const Shape& shape : pointwise_weights()) {
    for (const int64_t columns : {1, 3, 65}) {
      SCOPED_TRACE(shape.to_string() + " x " + std::to_string(columns));
      const Product product(random_sparse_tensor(shape, 1, 0.5), columns);
      EXPECT_LE(relative_error(product.run_scalar(false, Activation::none),
                               product.run_reference(false, Activation::none)),
                kTolerance);
      EXPECT_LE(relative_error(product.run_scalar(true, Activation::relu6),
                               product.run_reference(true, Activation::relu6)),
                kTolerance);
    }
  }
}

class Spmm : public testing::OnEveryTarget {};

TEST_P(Spmm, MatchesTheScalarOneOnEveryShape) {
  for (const Shape& shape : pointwise_weights()) {
    for (const int64_t columns : {1, 4, 16, 64, 200, 512, 1024}) {
      // Many columns belong to the early layers, which are small.
      if (columns > 100 && shape.count() > 30000) continue;
      expect_matches_scalar(Product(random_sparse_tensor(shape, 1, 0.8), columns), "80 % zeros");
    }
  }
}

TEST_P(Spmm, MatchesTheScalarOneAtEveryWidthAndSparsity) {
  for (const double sparsity : {0.0, 0.3, 0.5, 0.7, 0.99, 1.0}) {
    for (const Shape& shape : {Shape{1, 1}, Shape{1, 400}, Shape{37, 1}, Shape{37, 29}}) {
      const Tensor weights = random_sparse_tensor(shape, 1, sparsity);
      for (const int64_t columns :
           {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 130}) {
        expect_matches_scalar(Product(weights, columns), std::to_string(sparsity));
      }
    }
  }
}

TEST_P(Spmm, OffsetsBeyondSixteenBitsAreReached) {
  // Panels of 4, 16 and 64 columns hold more than 2^16 floats from so many channels on.
  for (const auto& [channels, columns] : {std::pair{16400, 4}, {4100, 16}, {1100, 64}}) {
    for (const double sparsity : {0.5, 0.9, 0.999}) {
      Tensor weights = random_sparse_tensor({5, channels}, 1, sparsity);
      for (float& weight : weights.values()) weight /= 16;  // sums where a sigmoid has its bend
      expect_matches_scalar(Product(weights, columns), std::to_string(sparsity));
    }
  }
}

TEST_P(Spmm, RowsMayDifferWidely) {
  Tensor weights = random_sparse_tensor({50, 300}, 1, 0.97);
  for (const int64_t row : {0, 7, 8, 49}) std::fill_n(weights.data() + row * 300, 300, 0.0f);
  for (const int64_t row : {3, 48}) std::fill_n(weights.data() + row * 300, 300, 0.25f);
  for (const int64_t columns : {3, 8, 16, 64}) {
    const Product product(weights, columns);
    expect_matches_scalar(product, "uneven rows");
    const Tensor output = product.run(false, Activation::none);
    EXPECT_EQ(output.data()[7 * columns], product.bias.data()[7]) << "an empty row is the bias";
  }
}

TEST_P(Spmm, AllZeroWeightsLeaveBiasAndResidual) {
  const Product product(Tensor({7, 5}, 0.0f), 67);
  const Tensor output = product.run(true, Activation::relu6);
  for (int64_t row = 0; row < 7; ++row) {
    for (int64_t column = 0; column < 67; ++column) {
      const float sum = product.bias.data()[row] + product.residual.data()[row * 67 + column];
      ASSERT_EQ(output.data()[row * 67 + column], std::clamp(sum, 0.0f, 6.0f));
    }
  }
}

TEST_P(Spmm, NothingNotANumberVanishes) {
  for (const int64_t columns : {4, 16, 65}) {
    Product product(random_sparse_tensor({9, 20}, 1, 0.5), columns);
    product.bias.fill(NAN);
    for (const Activation activation : values_in(kActivations)) {
      const Tensor output = product.run(true, activation);
      for (const float value : output.values()) EXPECT_TRUE(std::isnan(value));
    }
  }
}

TEST_P(Spmm, FoursOfChannelsMayOverlapAtTheEnd) {
  // With four columns and few zeros, four channels are read at a time.
  for (const int64_t channels : {4, 5, 6, 7, 33, 2304, 2305, 5000}) {
    const Product product(random_sparse_tensor({9, channels}, 1, 0.4), 4);
    expect_matches_scalar(product, "fours");
  }
}

TEST_P(Spmm, WeightsPreparedForOneTargetAreRightOnAnother) {
  const Product product(random_sparse_tensor({40, 50}, 1, 0.5), 4);
  simd::pin_target("");
  const SparseWeights prepared(product.weights, 4);
  simd::pin_target(GetParam());
  EXPECT_LE(relative_error(product.run(prepared, true, Activation::relu6),
                           product.run_scalar(true, Activation::relu6)),
            kTolerance);
}

TEST_P(Spmm, DoesNotDependOnTheThreadCount) {
  for (const auto& [rows, channels, columns] :
       {std::tuple{96, 24, 200}, {320, 960, 4}, {64, 384, 16}, {100, 300, 64}, {1280, 320, 1}}) {
    const Product product(random_sparse_tensor({rows, channels}, 1, 0.5), columns);
    const auto run = [&](int threads) {
      const ThreadScope scope(threads);
      return product.run(true, Activation::relu6);
    };
    const Tensor one = run(1);
    for (const int threads : {2, 3, 4}) {
      EXPECT_TRUE(testing::identical(one, run(threads))) << threads << " threads";
    }
  }
}

TEST_P(Spmm, WeightsServeAnyNumberOfPanelsOfTheirWidth) {
  const Tensor weights = random_sparse_tensor({20, 30}, 1, 0.5);
  const Product product(weights, 640);
  const SparseWeights prepared(product.weights, 64);
  EXPECT_LE(relative_error(product.run(prepared, true, Activation::none),
                           product.run_scalar(true, Activation::none)),
            kTolerance);
  EXPECT_THROW(Product(weights, 16).run(prepared, true, Activation::none), std::invalid_argument);
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(Spmm);

}  // namespace
}  // namespace edgeprune::sparse
