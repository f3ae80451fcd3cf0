#include "engine/kernels/simd/direct_conv2d.h"

#include <hwy/cache_control.h>

#include <algorithm>

#include "engine/base/buffer.h"
#include "engine/base/parallel.h"
#include "engine/kernels/simd/row_blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/direct_conv2d.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/gemm-inl.h"
#include "engine/kernels/simd/sums-inl.h"

#ifndef EDGEPRUNE_DIRECT_ONCE
#define EDGEPRUNE_DIRECT_ONCE
namespace edgeprune::simd {

/// Floats of a window in one line, and in all.
inline int64_t stretch(const Conv2dShape& s) {
  return s.kernel * s.in_channels;
}
inline int64_t window(const Conv2dShape& s) {
  return s.kernel * stretch(s);
}

}  // namespace edgeprune::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// The k lines of the input that a line of the output reads, zeros in the padding.
class InputLines {
 public:
  explicit InputLines(const Conv2dShape& s)
      : shape_(s),
        padding_(s.padding * s.in_channels),
        line_(s.in_width * s.in_channels),
        // Register tiles read on behind the last window: zeros, too.
        stride_(line_ + 2 * padding_ + kTile * s.stride * s.in_channels),
        data_(allocate_floats(static_cast<size_t>(s.kernel * stride_))) {
    std::fill_n(data_.get(), s.kernel * stride_, 0.0f);
  }

  /// For line `index` of all images' output lines.
  void read(const float* input, int64_t index) {
    const float* image = input + index / shape_.out_height() * shape_.in_height * line_;
    const int64_t top = index % shape_.out_height() * shape_.stride - shape_.padding;
    for (int64_t k = 0; k < shape_.kernel; ++k) {
      float* to = data_.get() + k * stride_ + padding_;
      if (top + k >= 0 && top + k < shape_.in_height) {
        std::copy_n(image + (top + k) * line_, line_, to);
      } else {
        std::fill_n(to, line_, 0.0f);
      }
    }
    // What the next line of the output reads on, while this one is computed: there is arithmetic
    // enough for memory's latency, but the processor would not look so far ahead.
    const float* next = image + (top + shape_.kernel) * line_;
    for (int64_t i = 0; i < shape_.stride * line_; i += 16) __builtin_prefetch(next + i);
  }

  /// The first window's value `index`, of [k,k,I].
  HWY_INLINE const float* at(int64_t index) const {
    const int64_t in_line = stretch(shape_);
    return data_.get() + index / in_line * stride_ + index % in_line;
  }
  /// From a window to the next.
  int64_t step() const { return shape_.stride * shape_.in_channels; }

 private:
  const Conv2dShape& shape_;
  int64_t padding_, line_, stride_;
  std::shared_ptr<float[]> data_;
};

/// sum += a[r][k] * b[k] for `count` steps of K.
template <int kVectors>
HWY_INLINE void add_products(const float* const (&a)[kTileRows], int64_t step, const float* b,
                             int64_t count, Vec (&sum)[kTileRows][kVectors]) {
  const F32 d;
  for (int64_t k = 0, at = 0; k < count; ++k, at += step, b += kVectors * kLanes) {
    Vec right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
      const Vec left = hn::Set(d, a[r][at]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
  }
}

/// A line of the output by one panel of the weights [window, O].
template <int kVectors>
void output_panel(const Conv2dShape& s, const InputLines& lines, const Panels& weights,
                  int64_t panel, float* output) {
  const int64_t column = weights.first_vector(panel) * kLanes, width = s.out_width();
  const int64_t over = std::min(kVectors * kLanes, s.out_channels - column) % kLanes;
  const Partial last(static_cast<size_t>(over));
  for (int64_t x = 0; x < width; x += kTileRows) {
    Vec sum[kTileRows][kVectors];
    clear_tile(sum);
    const float* b = weights.panel(panel);
    for (int64_t line = 0; line < s.kernel; ++line) {
      const float* a[kTileRows];
#pragma GCC unroll 8
      for (int r = 0; r < kTileRows; ++r) {
        a[r] = lines.at(line * stretch(s)) + (x + r) * lines.step();
      }
      add_products(a, 1, b, stretch(s), sum);
      b += stretch(s) * kVectors * kLanes;
    }
    store_tile(sum, width - x, false, last, over != 0, output + x * s.out_channels + column,
               s.out_channels);
  }
}

/// A line's share of the gradient of the weights [window, O], by one panel of the line's gradient.
template <int kVectors>
void weights_panel(const Conv2dShape& s, const InputLines& lines, const Panels& grad, int64_t panel,
                   bool accumulate, float* grad_weights) {
  const int64_t column = grad.first_vector(panel) * kLanes, rows = window(s);
  const int64_t over = std::min(kVectors * kLanes, s.out_channels - column) % kLanes;
  const Partial last(static_cast<size_t>(over));
  for (int64_t row = 0; row < rows; row += kTileRows) {
    Vec sum[kTileRows][kVectors];
    clear_tile(sum);
    const float* a[kTileRows];
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) a[r] = lines.at(std::min(row + r, rows - 1));
    add_products(a, lines.step(), grad.panel(panel), grad.rows, sum);
    store_tile(sum, rows - row, accumulate, last, over != 0,
               grad_weights + row * s.out_channels + column, s.out_channels);
  }
}

size_t direct_weights_size(const Conv2dShape& s) {
  return static_cast<size_t>(Panels::size(window(s), s.out_channels));
}

/// `weights` [O,k,k,I].
void pack_direct_weights(const Conv2dShape& s, const float* weights, float* packed) {
  const Panels panels{packed, window(s), s.out_channels};
  pack_transposed(weights, panels, 0, panels.count());
}

/// Lines [begin, end) of all images' output lines.
void direct_forward_range(const Conv2dShape& s, const float* input, const float* packed,
                          float* output, PartMoments* moments, int64_t begin, int64_t end) {
  const int64_t width = s.out_width();
  InputLines lines(s);
  const Panels weights{const_cast<float*>(packed), window(s), s.out_channels};
  const BlockOutput out(output, s.batch * s.out_height() * width, s.out_channels, width);
  for (int64_t i = begin; i < end; ++i) {
    lines.read(input, i);
    float* block = out.block(i * width);
    for (int64_t panel = 0; panel < weights.count(); ++panel) {
      const int64_t vectors = weights.panel_vectors(panel);
      if (vectors == 3) output_panel<3>(s, lines, weights, panel, block);
      if (vectors == 2) output_panel<2>(s, lines, weights, panel, block);
      if (vectors == 1) output_panel<1>(s, lines, weights, panel, block);
    }
    add_moments(block, width, s.out_channels, out.destination(i * width), moments);
  }
  hwy::FlushStream();
}

/// `grad_weights` [k,k,I,O] is overwritten with these lines' share of it.
void direct_backward_range(const Conv2dShape& s, const NormalizedGradient& grad_output,
                           const float* input, float* grad_weights, int64_t begin, int64_t end) {
  const int64_t width = s.out_width();
  InputLines lines(s);
  const auto block = allocate_floats(static_cast<size_t>(Panels::size(width, s.out_channels)));
  const Panels grad{block.get(), width, s.out_channels};
  with_reader(grad_output, s.out_channels, [&](const auto& reader) HWY_ATTR {
    for (int64_t i = begin; i < end; ++i) {
      lines.read(input, i);
      pack(reader, i * width, grad);
      for (int64_t panel = 0; panel < grad.count(); ++panel) {
        const int64_t vectors = grad.panel_vectors(panel);
        if (vectors == 3) weights_panel<3>(s, lines, grad, panel, i > begin, grad_weights);
        if (vectors == 2) weights_panel<2>(s, lines, grad, panel, i > begin, grad_weights);
        if (vectors == 1) weights_panel<1>(s, lines, grad, panel, i > begin, grad_weights);
      }
    }
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(direct_weights_size);
HWY_EXPORT(pack_direct_weights);
HWY_EXPORT(direct_forward_range);
HWY_EXPORT(direct_backward_range);

namespace {

/// body(where [O,I,k,k] has a weight, its channel o, its place in the window [k,k,I]).
template <typename Body>
void for_each_weight(const Conv2dShape& s, const Body& body) {
  const int64_t taps = s.kernel * s.kernel;
  int64_t plain = 0;
  for (int64_t o = 0; o < s.out_channels; ++o) {
    for (int64_t i = 0; i < s.in_channels; ++i) {
      for (int64_t tap = 0; tap < taps; ++tap) body(plain++, o, tap * s.in_channels + i);
    }
  }
}

Pieces pieces_of(const Conv2dShape& s) {
  return {s.batch * s.out_height(), 1};
}

}  // namespace

void direct_forward(const Conv2dShape& s, const float* input, const float* weights, float* output,
                    const Moments* moments) {
  const auto permuted = allocate_floats(static_cast<size_t>(s.weight_count()));
  for_each_weight(s, [&](int64_t plain, int64_t o, int64_t at) {
    permuted[o * window(s) + at] = weights[plain];
  });
  const auto packed = allocate_floats(HWY_DYNAMIC_DISPATCH(direct_weights_size)(s));
  HWY_DYNAMIC_DISPATCH(pack_direct_weights)(s, permuted.get(), packed.get());
  const Pieces pieces = pieces_of(s);
  auto parts = parts_of<PartMoments>(moments != nullptr ? pieces.count() : 0, s.out_channels);
  parallel_for(pieces, [&](int64_t begin, int64_t end, int piece) {
    HWY_DYNAMIC_DISPATCH(direct_forward_range)
    (s, input, packed.get(), output, moments != nullptr ? &parts[piece] : nullptr, begin, end);
  });
  if (moments != nullptr) combine(std::move(parts), *moments);
}

void direct_backward_weights(const Conv2dShape& s, const NormalizedGradient& grad_output,
                             const float* input, float* grad_weights) {
  const Pieces pieces = pieces_of(s);
  const auto sum = allocate_floats(static_cast<size_t>(s.weight_count()));
  const Shares shares(pieces.count(), s.weight_count(), sum.get());
  parallel_for(pieces, [&](int64_t begin, int64_t end, int piece) {
    HWY_DYNAMIC_DISPATCH(direct_backward_range)
    (s, grad_output, input, shares[piece], begin, end);
  });
  shares.add_up();
  for_each_weight(s, [&](int64_t plain, int64_t o, int64_t at) {
    grad_weights[plain] = sum[at * s.out_channels + o];
  });
}

}  // namespace edgeprune::simd
#endif
