#include "engine/kernels/panels/pointwise.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::panels {
namespace {

using testing::random_tensor;
using testing::relative_error;

constexpr double kTolerance = 1e-5;

/// A product's arguments, activations as matrices and as panels.
struct Product {
  Product(int64_t rows, int64_t channels, int64_t column_count)
      : columns(column_count),
        matrix(random_tensor({rows, channels}, 1)),
        input(random_tensor({channels, columns}, 2)),
        residual(random_tensor({rows, columns}, 3)),
        bias(random_tensor({rows}, 4)),
        input_panels(testing::to_panels(input)),
        residual_panels(testing::to_panels(residual)),
        weights(matrix.data(), rows, channels, columns) {}

  PanelLayout out() const { return {weights.rows(), columns}; }

  Tensor run(bool add_residual, Activation activation) const {
    testing::Output output({out().size()});
    pointwise(weights, columns, input_panels.data(), bias.data(),
              add_residual ? residual_panels.data() : nullptr, activation, output.data());
    return testing::from_panels(output.written(), out());
  }

  Tensor run_in_place(Activation activation) const {
    Tensor output(residual_panels.shape(), residual_panels.values());
    pointwise(weights, columns, input_panels.data(), bias.data(), output.data(), activation,
              output.data());
    return testing::from_panels(output, out());
  }

  /// As a convolution over one image of a single column of pixels, laid out [1,columns,1,rows].
  Tensor run_reference(bool add_residual, Activation activation) const {
    const Conv2dShape shape{
        .in_height = columns, .in_channels = weights.channels(), .out_channels = weights.rows()};
    const Tensor pixels = transposed(input), added = transposed(residual);
    Tensor output({columns, weights.rows()});
    reference::conv2d_forward(shape, pixels.data(), matrix.data(), bias.data(),
                              add_residual ? added.data() : nullptr, activation, output.data());
    return transposed(output);
  }

  static Tensor transposed(const Tensor& m) {
    Tensor result({m.dim(1), m.dim(0)});
    for (int64_t i = 0; i < m.count(); ++i) {
      result.data()[i % m.dim(1) * m.dim(0) + i / m.dim(1)] = m.data()[i];
    }
    return result;
  }

  int64_t columns;
  Tensor matrix, input, residual, bias, input_panels, residual_panels;
  PointwiseWeights weights;
};

class PanelPointwise : public testing::OnEveryTarget {
 protected:
  static void compare(int64_t rows, int64_t channels, int64_t columns) {
    SCOPED_TRACE(fmt::format("[{},{}] x {}", rows, channels, columns));
    const Product product(rows, channels, columns);
    for (const Activation activation : values_in(kActivations)) {
      const bool add_residual = activation != Activation::none;
      EXPECT_LE(relative_error(product.run(add_residual, activation),
                               product.run_reference(add_residual, activation)),
                kTolerance);
    }
  }
};

TEST_P(PanelPointwise, MatchesTheReferenceOnMobileNetV2) {
  for (const Conv2dShape& shape : testing::mobilenet_v2_shapes()) {
    if (!shape.pointwise()) continue;
    for (const int64_t batch : {1, 2, 16}) {
      if (batch > 1 && shape.in_height > 4) continue;  // the plan runs these image by image
      compare(shape.out_channels, shape.in_channels, shape.in_height * shape.in_width * batch);
    }
  }
}

TEST_P(PanelPointwise, MatchesTheReferenceOnAnyNumberOfColumns) {
  for (const int64_t columns :
       {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 49, 63, 64, 65, 128, 200}) {
    compare(37, 19, columns);
  }
}

// Where rows run along the vectors, as whole vectors of columns would be computed in vain.
TEST_P(PanelPointwise, MatchesTheReferenceOnMapsThatAreNoWholeVectors) {
  for (const int64_t columns : {9, 10, 11, 13, 17, 18, 19, 25, 33, 36, 49, 50, 65, 81, 100}) {
    for (const int64_t rows : {16, 47, 48, 64, 80, 160}) compare(rows, 200, columns);
  }
}

TEST_P(PanelPointwise, MatchesTheReferenceOnAnyNumberOfRows) {
  for (const int64_t columns : {1, 8, 16, 32, 48, 65}) {
    for (int64_t rows = 1; rows <= 50; ++rows) compare(rows, 5, columns);
    for (const int64_t rows : {95, 96, 97, 111, 130}) compare(rows, 5, columns);
  }
}

// Around the depth at which sums go through the output.
TEST_P(PanelPointwise, MatchesTheReferenceOnAnyNumberOfChannels) {
  for (const int64_t columns : {3, 7, 16, 64, 70}) {
    for (const int64_t channels : {1, 2, 3, 31, 127, 128, 129, 160, 161, 320, 321, 1000}) {
      compare(13, channels, columns);
    }
  }
}

TEST_P(PanelPointwise, TheResidualMayBeTheOutput) {
  for (const int64_t columns : {4, 8, 9, 16, 49, 200}) {
    for (const int64_t channels : {24, 400}) {
      for (const Activation activation : values_in(kActivations)) {
        const Product product(30, channels, columns);
        EXPECT_TRUE(
            testing::identical(product.run_in_place(activation), product.run(true, activation)));
      }
    }
  }
}

TEST_P(PanelPointwise, OneColumnFollowsTheOtherWhateverItsNeighboursHold) {
  for (const int64_t columns : {3, 6, 9, 20, 65}) {
    Product product(48, 40, columns);
    std::vector<Tensor> before;
    for (const Activation activation : values_in(kActivations)) {
      before.push_back(product.run(false, activation));
    }
    const PanelLayout in{40, columns};
    for (int64_t c = 0; c < 40; ++c) product.input_panels.data()[in.offset(c, 1)] = NAN;
    for (const Activation activation : values_in(kActivations)) {
      const Tensor& expected = before[static_cast<size_t>(activation)];
      const Tensor after = product.run(false, activation);
      for (int64_t i = 0; i < after.count(); ++i) {
        if (i % columns == 1) {
          ASSERT_TRUE(std::isnan(after.data()[i])) << name_of(kActivations, activation);
        } else {
          ASSERT_EQ(after.data()[i], expected.data()[i]);
        }
      }
    }
  }
}

TEST_P(PanelPointwise, Relu6ClipsOnBothSides) {
  for (const int64_t columns : {4, 8, 16, 64}) {
    Product product(40, 3, columns);
    for (float& value : product.bias.values()) value *= 20;
    const Tensor output = product.run(true, Activation::relu6);
    const auto [low, high] = std::minmax_element(output.values().begin(), output.values().end());
    EXPECT_EQ(*low, 0.0f);
    EXPECT_EQ(*high, 6.0f);
  }
}

TEST_P(PanelPointwise, DoesNotDependOnTheThreadCount) {
  for (const auto& [rows, channels, columns] : {std::tuple{1280, 320, 4},
                                                {960, 160, 8},
                                                {96, 576, 16},
                                                {160, 960, 64},
                                                {24, 144, 256},
                                                {384, 96, 36},
                                                {160, 960, 49},
                                                {96, 200, 65}}) {
    const Product product(rows, channels, columns);
    const auto run = [&](int threads) {
      const ThreadScope scope(threads);
      return product.run(true, Activation::relu6);
    };
    const Tensor one = run(1);
    EXPECT_TRUE(testing::identical(one, run(2)));
    EXPECT_TRUE(testing::identical(one, run(3)));
  }
}

TEST_P(PanelPointwise, WeightsPackedForOtherColumnsDoTheSame) {
  for (const auto& [packed_for, columns] : {std::pair{64, 16},
                                            {64, 48},
                                            {16, 64},
                                            {32, 48},
                                            {48, 64},
                                            {1000, 10},
                                            {9, 64},
                                            {49, 200},
                                            {9, 33},
                                            {8, 5},
                                            {1, 4},
                                            {5, 8}}) {
    SCOPED_TRACE(fmt::format("packed for {}, run on {}", packed_for, columns));
    Product product(29, 200, columns);
    const Tensor expected = product.run_reference(true, Activation::relu6);
    product.weights = PointwiseWeights(product.matrix.data(), 29, 200, packed_for);
    EXPECT_LE(relative_error(product.run(true, Activation::relu6), expected), kTolerance);
  }
}

TEST_P(PanelPointwise, WeightsPackedForOtherPanelsAreRejected) {
  for (const auto& [packed_for, columns] :
       {std::pair{8, 9}, {9, 8}, {4, 5}, {5, 4}, {4, 64}, {64, 1}, {4, 0}, {64, 0}}) {
    SCOPED_TRACE(fmt::format("packed for {}, run on {}", packed_for, columns));
    Product product(8, 8, std::max(1, columns));
    const PointwiseWeights weights(product.matrix.data(), 8, 8, packed_for);
    EXPECT_THROW(pointwise(weights, columns, product.input_panels.data(), product.bias.data(),
                           nullptr, Activation::none, product.residual_panels.data()),
                 std::invalid_argument);
  }
}

TEST_P(PanelPointwise, EmptySizesAreRejected) {
  const float weight = 1;
  EXPECT_THROW(PointwiseWeights(&weight, 0, 1, 4), std::invalid_argument);
  EXPECT_THROW(PointwiseWeights(&weight, 1, 0, 4), std::invalid_argument);
  EXPECT_THROW(PointwiseWeights(&weight, 1, 1, 0), std::invalid_argument);
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(PanelPointwise);

}  // namespace
}  // namespace edgeprune::panels
