#include "engine/kernels/int8/sparse_pointwise.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/int8.h"

namespace edgeprune {
namespace {

using testing::Int8Layer;
using testing::random_integers;

constexpr Grid kReluOutput{.scale = 1, .zero_point = 0, .lowest = 0, .highest = kHighRelu};
constexpr Grid kLinearOutput{.scale = 1, .zero_point = 128, .lowest = 0, .highest = 255};

class Int8SparsePointwise : public testing::OnEveryInt8Target {};

int8::SparsePointwiseWeights pack_nonzeros(const Int8Layer& layer, int highest) {
  return {{layer.weights.data(), layer.bias.data(), layer.multipliers.data()},
          layer.shape.out_channels,
          layer.shape.in_channels,
          highest};
}

std::vector<uint8_t> run_sparse(const Int8Layer& layer, int highest, const Ending& output,
                                const QuantizedResidual& residual = {}) {
  constexpr uint8_t kUntouched = 99;
  std::vector<uint8_t> bytes(static_cast<size_t>(layer.output_bytes()) + 64, kUntouched);
  const int8::SparsePointwiseWeights weights = pack_nonzeros(layer, highest);
  std::vector<uint8_t> scratch(
      static_cast<size_t>(sparse_pointwise_scratch_size(weights) * thread_count()), kUntouched);
  // A copy of its own, so that sanitizers see what is read behind it.
  const std::vector<uint8_t> input = layer.input;
  sparse_pointwise(
      weights,
      {input.data(), static_cast<int64_t>(input.size()) / layer.input_pixel, layer.input_pixel},
      residual, output, scratch.data(), bytes.data());
  for (auto i = bytes.end() - 64; i != bytes.end(); ++i) EXPECT_EQ(*i, kUntouched);
  bytes.resize(bytes.size() - 64);
  return bytes;
}

/// Leaves so many of a thousand blocks of `rows` x 1 weights.
void keep_blocks(Int8Layer& layer, int of_thousand, int64_t rows) {
  const int64_t channels = layer.shape.in_channels, blocks = layer.shape.out_channels / rows + 1;
  const auto drawn = random_integers<int16_t>(blocks * channels, 0, 999, 11);
  for (int64_t o = 0; o < layer.shape.out_channels; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      int8_t& w = layer.weights[static_cast<size_t>(o * channels + c)];
      w = drawn[static_cast<size_t>(o / rows * channels + c)] < of_thousand
              ? static_cast<int8_t>(w == 0 ? 1 : w)
              : int8_t{0};
    }
  }
}

std::vector<Conv2dShape> sparse_shapes() {
  std::vector<Conv2dShape> all;
  for (const Conv2dShape& shape : testing::mobilenet_v2_shapes()) {
    if (shape.pointwise()) all.push_back(shape);
  }
  for (const int64_t rows : {1, 6, 16, 33}) {
    for (const int64_t channels : {1, 3, 21, 130}) {
      for (const int64_t side : {1, 5, 7, 14}) {
        all.push_back(testing::pointwise_shape(side, channels, rows));
      }
    }
  }
  return all;
}

TEST_P(Int8SparsePointwise, EqualsThePlainLoopsWhateverIsZero) {
  const int kept[] = {0, 20, 200, 500, 1000};
  size_t i = 0;
  for (const Conv2dShape& shape : sparse_shapes()) {
    for (const int64_t rows : {1, 4}) {
      const int of_thousand = kept[i++ % std::size(kept)], highest = i % 2 == 0 ? kHighRelu : 255;
      SCOPED_TRACE(::testing::PrintToString(shape) + ", " + std::to_string(of_thousand) + " of " +
                   std::to_string(rows) + " rows");
      Int8Layer layer(shape, highest, 0, pixel_bytes(shape.in_channels));
      keep_blocks(layer, of_thousand, rows);
      ASSERT_EQ(run_sparse(layer, highest, kReluOutput), layer.expected(kReluOutput));
      ASSERT_EQ(run_sparse(layer, highest, kLinearOutput), layer.expected(kLinearOutput));
      for (const Ending& gated : testing::gated_endings()) {
        ASSERT_EQ(run_sparse(layer, highest, gated), layer.expected(gated));
      }
    }
  }
}

TEST_P(Int8SparsePointwise, AddsResiduals) {
  for (const Conv2dShape& shape : sparse_shapes()) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    Int8Layer layer(shape, 127, 0, pixel_bytes(shape.in_channels));
    keep_blocks(layer, 200, 1);
    std::vector<uint8_t> other = random_integers<uint8_t>(layer.output_bytes(), 0, 255, 9);
    const int64_t bytes = pixel_bytes(shape.out_channels);
    for (size_t i = 0; i < other.size(); ++i) {
      if (static_cast<int64_t>(i) % bytes >= shape.out_channels) other[i] = 128;
    }
    const QuantizedResidual residual{other.data(), 0.73f, 128};
    ASSERT_EQ(run_sparse(layer, 127, kLinearOutput, residual),
              layer.expected(kLinearOutput, residual));
  }
}

TEST_P(Int8SparsePointwise, NothingSaturatesForTheWorstInputsOfAnyRow) {
  // Each pixel has the highest inputs where a row is positive (or negative), none elsewhere; of rows
  // of both signs, of one sign, and of the largest weights.
  constexpr int64_t kRows = 36, kChannels = 203, kPixels = 2 * kRows;
  for (const auto& [low, high] : {std::pair{-127, 127}, {-40, 127}, {0, 127}, {-127, -100}}) {
    for (const int of_thousand : {200, 1000}) {
      for (const int64_t rows : {1, 4}) {
        constexpr int kHighest = 255;
        Int8Layer layer(
            {.in_height = 1, .in_width = kPixels, .in_channels = kChannels, .out_channels = kRows},
            kHighest, 0, pixel_bytes(kChannels));
        layer.weights = random_integers<int8_t>(kRows * kChannels, low, high, 3);
        keep_blocks(layer, of_thousand, rows);
        std::fill(layer.bias.begin(), layer.bias.end(), 0);
        for (int64_t p = 0; p < kPixels; ++p) {
          for (int64_t k = 0; k < kChannels; ++k) {
            const int w = layer.weights[static_cast<size_t>(p / 2 * kChannels + k)];
            layer.input[static_cast<size_t>(p * layer.input_pixel + k)] =
                static_cast<uint8_t>((p % 2 == 0 ? w > 0 : w < 0) ? kHighest : 0);
          }
        }
        layer.multipliers.assign(
            kRows, 100.0f / static_cast<float>(kHighest * 64 * kChannels * of_thousand / 1000));
        EXPECT_EQ(run_sparse(layer, kHighest, kLinearOutput), layer.expected(kLinearOutput)) << low;
      }
    }
  }
}

TEST_P(Int8SparsePointwise, MultipliesLittleMoreThanTheNonzeros) {
  for (const int highest : {kHighRelu, 255}) {
    Int8Layer layer(testing::pointwise_shape(2, 960, 160), highest, 0, 960);
    keep_blocks(layer, 200, 1);
    const double density = pack_nonzeros(layer, highest).density();
    EXPECT_GE(density, 0.19);
    EXPECT_LE(density, 0.22);
  }
}

TEST_P(Int8SparsePointwise, SharesBlocksOfFourRows) {
  Int8Layer alone(testing::pointwise_shape(2, 960, 160), kHighRelu, 0, 960);
  Int8Layer blocks = alone;
  keep_blocks(alone, 200, 1);
  keep_blocks(blocks, 200, 4);
  // Two bytes a channel are read once for four weights, not for each.
  EXPECT_LE(pack_nonzeros(blocks, kHighRelu).bytes(),
            0.6 * double(pack_nonzeros(alone, kHighRelu).bytes()));
}

TEST_P(Int8SparsePointwise, SameBitsOnAnyNumberOfThreads) {
  Int8Layer layer(testing::pointwise_shape(33, 96, 144), 127, 0, 96);
  keep_blocks(layer, 300, 1);
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadScope scope(threads);
    EXPECT_EQ(run_sparse(layer, 127, kReluOutput), layer.expected(kReluOutput));
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8SparsePointwise);

TEST(Int8SparsePointwiseWeights, RefusesWhatCouldOverflowAndWhatIsTooWide) {
  const std::vector<int8_t> weights(9'000, 127);
  const int32_t bias = 0;
  const float small = 1e-6f, large = 20.0f;
  const auto pack = [&](int64_t channels, const float& multiplier) {
    return int8::SparsePointwiseWeights({weights.data(), &bias, &multiplier}, 1, channels, 255);
  };
  EXPECT_NO_THROW(pack(8'192, small));
  EXPECT_THROW(pack(8'193, small), std::invalid_argument);
  EXPECT_THROW(pack(8'192, large), std::invalid_argument);
  EXPECT_THROW(pack(0, small), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
