// Rows of depthwise convolutions whose windows do not fit the registers (5x5): a few outputs side by
// side share what is loaded. Included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_DEPTHWISE_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_TILES_INL_H_
#undef EDGEPRUNE_DEPTHWISE_TILES_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_TILES_INL_H_
#endif

#include <type_traits>

#include "engine/kernels/simd/depthwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// kOutputs outputs of a row, from output `first` on, and the columns of inputs that they read.
template <int kSize, int kStride>
struct RowTile {
  static constexpr int kOutputs = 4;
  static constexpr int kColumns = (kOutputs - 1) * kStride + kSize;
  RowTile(int64_t in_width, int64_t first_output)
      : width(in_width),
        out_width((in_width - 1) / kStride + 1),
        first(first_output),
        left(first * kStride - kSize / 2) {}

  bool has_output(int t) const { return first + t < out_width; }
  bool has_column(int j) const { return left + j >= 0 && left + j < width; }
  /// body(whether all outputs and columns exist, so that none needs to be asked for)
  template <typename Body>
  HWY_INLINE void visit(const Body& body) const {
    if (left >= 0 && left + kColumns <= width && first + kOutputs <= out_width) {
      return body(std::true_type());
    }
    body(std::false_type());
  }
  /// body(j, input, t, k) for each column, output and tap column that meet; missing inputs are left
  /// out. `row` is at the tile's channel.
  template <bool kWhole, typename Access, typename Body>
  HWY_INLINE void for_each_product(const Access& access, const float* row, int64_t channels,
                                   const Body& body) const {
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) {
      if (!kWhole && !has_column(j)) continue;
      const Vec x = access.load(row + (left + j) * channels);
#pragma GCC unroll 4
      for (int t = 0; t < kOutputs; ++t) {
        const int k = j - t * kStride;
        if (k >= 0 && k < kSize) body(x, t, k);
      }
    }
  }

  int64_t width, out_width, first, left;
};

template <int kStride, int kSize, typename Activate>
requires(kSize > 3) void forward_row(const Rows<kSize>& rows, const float* taps, const float* bias,
                                     const Activate& activate, float* output) {
  using Tile = RowTile<kSize, kStride>;
  const int64_t channels = rows.channels;
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    const Vec zero = hn::Zero(F32());
    const Vec start = bias != nullptr ? access.load(bias + c) : zero;
    for (int64_t o = 0; o < Tile(rows.width, 0).out_width; o += Tile::kOutputs) {
      const Tile tile(rows.width, o);
      tile.visit([&](auto whole) HWY_ATTR {
        Vec sums[2][Tile::kOutputs];  // two chains an output: one alone waits for its products
#pragma GCC unroll 4
        for (int t = 0; t < Tile::kOutputs; ++t) sums[0][t] = start, sums[1][t] = zero;
#pragma GCC unroll 5
        for (int r = 0; r < kSize; ++r) {
          Vec w[kSize];
#pragma GCC unroll 5
          for (int k = 0; k < kSize; ++k) w[k] = access.load(taps + (r * kSize + k) * channels + c);
          tile.template for_each_product<whole>(
              access, rows.row[r] + c, channels, [&](Vec x, int t, int k) HWY_ATTR {
                sums[r % 2][t] = hn::MulAdd(x, w[k], sums[r % 2][t]);
              });
        }
#pragma GCC unroll 4
        for (int t = 0; t < Tile::kOutputs; ++t) {
          if (!whole && !tile.has_output(t)) break;
          access.store(activate(hn::Add(sums[0][t], sums[1][t])), output + (o + t) * channels + c);
        }
      });
    }
  });
}

/// Stride 2: the gradient of one input row from the output rows that read it, grad[i] through the
/// taps of filter row tap_row[i]. Input column i was read by output o through tap i + kSize / 2 - 2 *
/// o.
template <int kSize, int kRows>
void backward_data_row(const float* const* grad, const int* tap_row, const float* taps,
                       int64_t channels, int64_t out_width, int64_t in_width, float* grad_input) {
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    for (int64_t o = 0; o < out_width; ++o) {
      Vec sums[2] = {hn::Zero(F32()), hn::Zero(F32())};  // of input columns 2 * o and 2 * o + 1
#pragma GCC unroll 3
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 5
        for (int k = 0; k < kSize; ++k) {
          const int odd = (k + kSize / 2) % 2;
          const int64_t from = o + (odd + kSize / 2 - k) / 2;
          if (from < 0 || from >= out_width) continue;
          const Vec w = access.load(taps + (kSize * tap_row[r] + k) * channels + c);
          sums[odd] = hn::MulAdd(access.load(grad[r] + from * channels + c), w, sums[odd]);
        }
      }
      float* to = grad_input + 2 * o * channels + c;
      access.store(sums[0], to);
      if (2 * o + 1 < in_width) access.store(sums[1], to + channels);
    }
  });
}

/// As add_taps_gradient(), one row of taps after the other.
template <int kSize, int kStride, typename RowsAt, typename GradAt>
HWY_INLINE void add_taps_gradient_by_rows(int64_t count, int64_t width, int64_t channels,
                                          const RowsAt& rows_at, const GradAt& grad_at,
                                          float* grad_taps) {
  using Tile = RowTile<kSize, kStride>;
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    for (int r = 0; r < kSize; ++r) {
      float* to = grad_taps + r * kSize * channels + c;
      Vec sums[2][kSize];  // two chains a tap: one alone waits for its products
#pragma GCC unroll 5
      for (int k = 0; k < kSize; ++k) {
        sums[0][k] = access.load(to + k * channels);
        sums[1][k] = hn::Zero(F32());
      }
      for (int64_t i = 0; i < count; ++i) {
        const float* row = rows_at(i).row[r] + c;
        const float* grad_row = grad_at(i) + c;
        for (int64_t o = 0; o < Tile(width, 0).out_width; o += Tile::kOutputs) {
          const Tile tile(width, o);
          tile.visit([&](auto whole) HWY_ATTR {
            Vec grad[Tile::kOutputs];
#pragma GCC unroll 4
            for (int t = 0; t < Tile::kOutputs; ++t) {
              grad[t] = whole || tile.has_output(t) ? access.load(grad_row + (o + t) * channels)
                                                    : hn::Zero(F32());
            }
            tile.template for_each_product<whole>(
                access, row, channels, [&](Vec x, int t, int k) HWY_ATTR {
                  sums[t % 2][k] = hn::MulAdd(x, grad[t], sums[t % 2][k]);
                });
          });
        }
      }
#pragma GCC unroll 5
      for (int k = 0; k < kSize; ++k) {
        access.store(hn::Add(sums[0][k], sums[1][k]), to + k * channels);
      }
    }
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
