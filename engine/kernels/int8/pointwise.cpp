#include "engine/kernels/int8/pointwise.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/int8/pointwise_packing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/int8/pointwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/int8/pointwise-inl.h"

#if HWY_ONCE
namespace edgeprune::int8 {
namespace {

HWY_EXPORT(pointwise_kernel);
HWY_EXPORT(row_lanes);

/// Of `rows`, blocks of as many vectors as there may be, then of half as many, and so on.
std::vector<RowBlock> cut_rows(int64_t rows, const RowLanes& lanes) {
  std::vector<RowBlock> blocks;
  int64_t first = 0;
  for (int vectors = lanes.most_vectors; vectors >= 1; vectors /= 2) {
    for (; first + vectors * lanes.lanes <= rows; first += vectors * lanes.lanes) {
      blocks.push_back({first, vectors});
    }
  }
  return blocks;
}

/// The most that one pmaddubsw's pair of products can be.
int64_t largest_pair(const RowNumbers& numbers, int64_t rows, int64_t channels, int highest) {
  int64_t largest = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int8_t* w = numbers.weights + row * channels;
    for (int64_t k = 0; k < channels; k += 2) {
      largest = std::max(largest, largest_sum(w + k, std::min<int64_t>(2, channels - k), highest));
    }
  }
  return largest;
}

}  // namespace

PointwiseWeights::PointwiseWeights(const RowNumbers& numbers, int64_t rows, int64_t channels,
                                   int highest) {
  require(rows > 0 && channels > 0, "int8 pointwise", "expected rows and channels, got {} x {}",
          rows, channels);
  for (int64_t row = 0; row < rows; ++row) {
    require_no_overflow("int8 pointwise", row,
                        largest_sum(numbers.weights + row * channels, channels, highest),
                        numbers.bias[row], numbers.multipliers[row]);
  }
  const RowLanes lanes = HWY_DYNAMIC_DISPATCH(row_lanes)();
  Product product = product_for(largest_pair(numbers, rows, channels, highest));
  // On NEON pairs always fit: there inputs have signs.
  if (product == Product::words) product = lanes.way == Way::x86 ? Product::signs : Product::pairs;
  auto packed = std::make_shared<PackedPointwise>(
      PackedPointwise{.rows = rows,
                      .channels = channels,
                      .lanes = lanes.lanes,
                      .pixels = lanes.pixels,
                      .highest = highest,
                      .product = product,
                      .words = lanes.way == Way::x86 && product != Product::instruction,
                      .less_128 = lanes.way == Way::neon || product == Product::signs,
                      .product_name = lanes.way == Way::plain ? "plain" : name_of(product),
                      .kernel = HWY_DYNAMIC_DISPATCH(pointwise_kernel)(product),
                      .blocks = cut_rows(pixel_bytes(rows), lanes)});
  pack_rows(numbers, *packed);
  packed_ = std::move(packed);
}

int64_t PointwiseWeights::rows() const {
  return packed_->rows;
}
int64_t PointwiseWeights::bytes() const {
  return packed_->storage_bytes + pixel_bytes(packed_->rows) * 8;
}
const char* PointwiseWeights::product() const {
  return packed_->product_name;
}

namespace {

void run(const PointwiseCall& call) {
  const int64_t items = call.items();
  if (items == 0) return;
  // What is done in less time than threads take to start stays on one.
  const int64_t least = call.weights.product == Product::instruction ? 1 << 18 : 1 << 16;
  const int64_t work = call.input.count * call.weights.rows * call.weights.channels / items;
  parallel_for(items, std::max<int64_t>(1, least / std::max<int64_t>(1, work)),
               [&](int64_t begin, int64_t end, int) { call.weights.kernel(call, begin, end); });
}

}  // namespace

void pointwise(const PointwiseWeights& weights, const Pixels& input,
               const QuantizedResidual& residual, const Ending& output, uint8_t* to) {
  run({weights.packed(), input, residual, output, to, nullptr, thread_count()});
}

void pointwise_alone(const PointwiseWeights& weights, const Pixels& input,
                     const QuantizedResidual& residual, const Ending& output, uint8_t* to) {
  const PointwiseCall call{weights.packed(), input, residual, output, to, nullptr};
  call.weights.kernel(call, 0, call.items());
}

void pointwise_logits(const PointwiseWeights& weights, const Pixels& input, float* to) {
  run({weights.packed(), input, {}, {}, nullptr, to, thread_count()});
}

}  // namespace edgeprune::int8
#endif
