#include "engine/kernels/int8/sparse_pointwise.h"

#include <algorithm>
#include <array>

#include "engine/base/parallel.h"
#include "engine/kernels/int8/sparse_pointwise_packing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/int8/sparse_pointwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/int8/sparse_pointwise-inl.h"

#if HWY_ONCE
namespace edgeprune::int8 {
namespace {

HWY_EXPORT(sparse_kernel);
HWY_EXPORT(sparse_tile);

/// Channels of which at least one row has a nonzero, those that one pmaddubsw multiplies side by side.
using Channels = std::vector<int64_t>;

class Packer {
 public:
  Packer(const RowNumbers& numbers, int highest, Product product, PackedSparse& to)
      : numbers_(numbers), highest_(highest), product_(product), to_(to) {}

  void pack() {
    const int64_t padded = pixel_bytes(to_.rows);
    for (int64_t row = 0; row < padded;) {
      // Aligned, so that no group lies in two chunks.
      const bool together = row % 4 == 0 && row + 4 <= to_.rows && shares(row);
      if (together) {
        add(row, 4, used(row, 4));
      } else {
        add(row, 1, row < to_.rows ? paired(row) : Channels{});
      }
      row += together ? 4 : 1;
    }
  }

 private:
  int8_t weight(int64_t row, int64_t channel) const {
    return numbers_.weights[row * to_.channels + channel];
  }
  Channels used(int64_t row, int rows) const {
    Channels channels;
    for (int64_t c = 0; c < to_.channels; ++c) {
      bool any = false;
      for (int r = 0; r < rows; ++r) any |= weight(row + r, c) != 0;
      if (any) channels.push_back(c);
    }
    return channels;
  }
  bool fits(int64_t row, int64_t one, int64_t other) const {
    const int8_t pair[] = {weight(row, one), weight(row, other)};
    return product_ == Product::instruction || largest_sum(pair, 2, highest_) <= INT16_MAX;
  }

  /// Whether four rows together cost less than each for itself: unpacking once and four products
  /// instead of four times both, of all channels that any of them uses.
  bool shares(int64_t row) const {
    const Channels all = used(row, 4);
    size_t each = 0;
    for (int r = 0; r < 4; ++r) each += used(row + r, 1).size();
    if (all.empty() || 5 * all.size() > 2 * each) return false;
    for (size_t i = 0; i + 1 < all.size(); i += 2) {
      for (int r = 0; r < 4; ++r) {
        if (!fits(row + r, all[i], all[i + 1])) return false;
      }
    }
    return true;
  }

  /// A row's channels, two by two so that no sum of two products saturates at 16 bits: the most negative
  /// weight beside the most positive one, and so on. What finds no partner has itself with weight zero
  /// (kNone).
  Channels paired(int64_t row) const {
    Channels channels = used(row, 1);
    if (product_ == Product::instruction) return channels;
    std::ranges::stable_sort(channels, {}, [&](int64_t c) { return weight(row, c); });
    Channels pairs;
    for (size_t first = 0, end = channels.size(); first < end;) {
      const int64_t least = channels[first], most = channels[end - 1];
      if (first + 1 < end && fits(row, least, most)) {
        pairs.insert(pairs.end(), {least, most});
        ++first, --end;
      } else if (std::abs(weight(row, least)) > std::abs(weight(row, most))) {
        pairs.insert(pairs.end(), {least, kNone});
        ++first;
      } else {
        pairs.insert(pairs.end(), {most, kNone});
        --end;
      }
    }
    return pairs;
  }

  void add(int64_t row, int rows, Channels channels) {
    channels.resize((channels.size() + 3) / 4 * 4, kNone);
    to_.groups.push_back({row, rows, static_cast<int>(channels.size() / 4)});
    to_.multiplied += std::ssize(channels) * rows;
    if (rows > 1) to_.shared += std::ssize(channels) * rows;
    for (size_t four = 0; four < channels.size(); four += 4) {
      for (size_t i = four; i < four + 4; ++i) {
        const int64_t place = channels[i] == kNone ? 0 : channels[i] * to_.tile / 8;
        to_.stream.push_back(static_cast<int16_t>(static_cast<uint16_t>(place)));
      }
      for (int r = 0; r < rows; ++r) {
        std::array<int8_t, 4> w{};
        for (size_t i = 0; i < 4; ++i) {
          if (channels[four + i] != kNone) w[i] = weight(row + r, channels[four + i]);
        }
        for (size_t i = 0; i < 4; i += 2) {
          int16_t two;
          std::memcpy(&two, w.data() + i, sizeof two);
          to_.stream.push_back(two);
        }
      }
    }
  }

  static constexpr int64_t kNone = -1;

  const RowNumbers& numbers_;
  int highest_;
  Product product_;
  PackedSparse& to_;
};

}  // namespace

SparsePointwiseWeights::SparsePointwiseWeights(const RowNumbers& numbers, int64_t rows,
                                               int64_t channels, int highest) {
  require(rows > 0 && channels > 0 && channels <= kMostChannels, "int8 sparse pointwise",
          "expected rows and up to {} channels, got {} x {}", kMostChannels, rows, channels);
  for (int64_t row = 0; row < rows; ++row) {
    require_no_overflow("int8 sparse pointwise", row,
                        largest_sum(numbers.weights + row * channels, channels, highest),
                        numbers.bias[row], numbers.multipliers[row]);
  }
  const int tile = HWY_DYNAMIC_DISPATCH(sparse_tile)();
  const Product product = uses_dot_products() ? Product::instruction : Product::pairs;
  auto packed = std::make_shared<PackedSparse>(
      PackedSparse{.rows = rows,
                   .channels = channels,
                   .tile = tile,
                   .product = product,
                   .kernel = HWY_DYNAMIC_DISPATCH(sparse_kernel)(product)});
  const auto padded = static_cast<size_t>(pixel_bytes(rows));
  packed->bias.assign(numbers.bias, numbers.bias + rows);
  packed->bias.resize(padded, 0);
  packed->multipliers.assign(numbers.multipliers, numbers.multipliers + rows);
  packed->multipliers.resize(padded, 0.0f);
  Packer(numbers, highest, product, *packed).pack();
  packed_ = std::move(packed);
}

int64_t SparsePointwiseWeights::bytes() const {
  return 2 * std::ssize(packed_->stream) + 8 * pixel_bytes(packed_->rows);
}
double SparsePointwiseWeights::density() const {
  return double(packed_->multiplied) / double(packed_->rows * packed_->channels);
}
const char* SparsePointwiseWeights::product() const {
  return packed_->tile < 32 ? "plain" : name_of(packed_->product);
}

bool SparsePointwiseWeights::pays(int64_t pixels) const {
  const PackedSparse& p = *packed_;
  // In multiply-adds of the dense kernel: of a row alone, of four rows together, and of turning a
  // channel over and requantising a row. VNNI leaves dense kernels little to do for a weight.
  const bool dots = p.product == Product::instruction;
  const double alone = dots ? 2.4 : 1.8, shared = dots ? 1.0 : 1.6, edge = dots ? 12.0 : 6.5;
  const double own = alone * double(p.multiplied - p.shared) + shared * double(p.shared) +
                     edge * double(p.rows + p.channels);
  const int64_t tiles = (pixels + p.tile - 1) / p.tile;
  return own * double(tiles * p.tile) < double(p.rows * p.channels) * double(pixels);
}

int64_t sparse_pointwise_scratch_size(const SparsePointwiseWeights& weights) {
  return (weights.packed().panel_bytes() + 127) / 128 * 128;  // threads' own cache lines
}

void sparse_pointwise(const SparsePointwiseWeights& weights, const Pixels& input,
                      const QuantizedResidual& residual, const Ending& output, uint8_t* scratch,
                      uint8_t* to) {
  const SparseCall call{weights.packed(), input, residual, output, to};
  const int64_t size = sparse_pointwise_scratch_size(weights);
  // What is done in less time than threads take to start stays on one.
  constexpr int64_t kLeast = 1 << 17;
  const int64_t work = call.weights.tile * std::max<int64_t>(1, call.weights.multiplied);
  parallel_for(call.tiles(), std::max<int64_t>(1, kLeast / work),
               [&](int64_t begin, int64_t end, int part) {
                 call.weights.kernel(call, begin, end, scratch + part * size);
               });
}

}  // namespace edgeprune::int8
#endif
