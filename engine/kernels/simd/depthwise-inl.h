// Depthwise convolution row by row: 3x3, and in depthwise_tiles-inl.h larger kernels. Included once per instruction set by Highway's
// foreach_target.h.
#if defined(EDGEPRUNE_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_INL_H_
#undef EDGEPRUNE_DEPTHWISE_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_INL_H_
#endif

#include <type_traits>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// body(kernel size, stride), as constants.
template <typename Body>
HWY_INLINE void with_window(const Conv2dShape& s, const Body& body) {
  constexpr std::integral_constant<int, 1> kOne;
  constexpr std::integral_constant<int, 2> kTwo;
  const auto with_stride = [&](auto size) HWY_ATTR {
    if (s.stride == 1) return body(size, kOne);
    body(size, kTwo);
  };
  if (s.kernel == 3) return with_stride(std::integral_constant<int, 3>());
  with_stride(std::integral_constant<int, 5>());
}

/// One column of a 3x3 window. (Not an array: compilers keep those in memory.)
struct Column {
  Vec top, middle, bottom;
};
HWY_INLINE Column zero_column() {
  const Vec zero = hn::Zero(F32());
  return {zero, zero, zero};
}

/// As many rows [width, channels] of an image as the kernel has, outside the image rows of zeros.
template <int kSize>
struct Rows {
  const float* row[kSize];
  int64_t width, channels;

  /// Column w at channel c.
  template <typename Access>
  HWY_INLINE Column load(const Access& access, int64_t w, int64_t c) const {
    const int64_t at = w * channels + c;
    return {access.load(row[0] + at), access.load(row[1] + at), access.load(row[2] + at)};
  }
};

/// Walks along three rows at one vector of channels, keeping the 3x3 window in registers: body(o,
/// left, middle, right) for output o. Stride 1 loads one new column an output, stride 2 two.
template <int kStride, typename Access, typename Body>
HWY_INLINE void slide(const Access& access, const Rows<3> rows, int64_t c, const Body& body) {
  Column left = zero_column(), middle = rows.load(access, 0, c);
  int64_t o = 0, next = 1;  // the column after `middle`
  while (next < rows.width) {
    const Column right = rows.load(access, next++, c);
    body(o++, left, middle, right);
    if constexpr (kStride == 1) {
      left = middle;
      middle = right;
    } else {
      if (next >= rows.width) return;
      left = right;
      middle = rows.load(access, next++, c);
    }
  }
  body(o, left, middle, zero_column());
}

/// The nine taps at one vector of channels.
struct Taps {
  Column left, middle, right;
};
template <typename Access>
HWY_INLINE Taps load_taps(const Access& access, const float* taps, int64_t channels, int64_t c) {
  const auto at = [&](int64_t k) HWY_ATTR { return access.load(taps + k * channels + c); };
  return {{at(0), at(3), at(6)}, {at(1), at(4), at(7)}, {at(2), at(5), at(8)}};
}
template <typename Access>
HWY_INLINE void store_taps(const Access& access, const Taps& t, float* taps, int64_t channels,
                           int64_t c) {
  const auto put = [&](int64_t k, Vec v) HWY_ATTR { access.store(v, taps + k * channels + c); };
  put(0, t.left.top), put(3, t.left.middle), put(6, t.left.bottom);
  put(1, t.middle.top), put(4, t.middle.middle), put(7, t.middle.bottom);
  put(2, t.right.top), put(5, t.right.middle), put(8, t.right.bottom);
}

/// sum + column * taps, and sum + column * factor per element.
HWY_INLINE Vec add_products(const Column& a, const Column& b, Vec sum) {
  return hn::MulAdd(a.top, b.top,
                    hn::MulAdd(a.middle, b.middle, hn::MulAdd(a.bottom, b.bottom, sum)));
}
HWY_INLINE void add_scaled(const Column& a, Vec factor, Column& sum) {
  sum.top = hn::MulAdd(a.top, factor, sum.top);
  sum.middle = hn::MulAdd(a.middle, factor, sum.middle);
  sum.bottom = hn::MulAdd(a.bottom, factor, sum.bottom);
}

template <int kStride, typename Activate>
void forward_row(const Rows<3>& rows, const float* taps, const float* bias,
                 const Activate& activate, float* output) {
  const int64_t channels = rows.channels;
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    const Taps w = load_taps(access, taps, channels, c);
    const Vec zero = hn::Zero(F32());
    const Vec start = bias != nullptr ? access.load(bias + c) : zero;
    slide<kStride>(
        access, rows, c,
        [&](int64_t o, const Column& left, const Column& middle, const Column& right) HWY_ATTR {
          // Two chains: a chain of nine takes longer than nine products.
          const Vec one = add_products(left, w.left, start);
          const Vec two = add_products(middle, w.middle, add_products(right, w.right, zero));
          access.store(activate(hn::Add(one, two)), output + o * channels + c);
        });
  });
}

/// Stride 2: the gradient of one input row from the one or two output rows that read it, grad[i]
/// through the taps of filter row tap_row[i]. An even input column was read by the middle tap of
/// one output, an odd one by the right tap of an output and the left tap of the next.
template <int kRows>
void backward_data_row(const float* const* grad, const int* tap_row, const float* taps,
                       int64_t channels, int64_t out_width, int64_t in_width, float* grad_input) {
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    const Vec zero = hn::Zero(F32());
    Vec w[kRows][3], g[kRows];
    for (int r = 0; r < kRows; ++r) {
      for (int k = 0; k < 3; ++k) w[r][k] = access.load(taps + (3 * tap_row[r] + k) * channels + c);
      g[r] = access.load(grad[r] + c);
    }
    for (int64_t o = 0; o < out_width; ++o) {
      float* to = grad_input + 2 * o * channels + c;
      Vec even = zero, odd = zero;
      for (int r = 0; r < kRows; ++r) {
        even = hn::MulAdd(g[r], w[r][1], even);
        odd = hn::MulAdd(g[r], w[r][2], odd);
        g[r] = o + 1 < out_width ? access.load(grad[r] + (o + 1) * channels + c) : zero;
        odd = hn::MulAdd(g[r], w[r][0], odd);
      }
      access.store(even, to);
      if (2 * o + 1 < in_width) access.store(odd, to + channels);
    }
  });
}

/// Adds the gradient of the taps from `count` output rows; rows_at(i) are the input rows around
/// output row i, grad_at(i) its gradient. Nine sums in registers over all of them.
template <int kStride, typename RowsAt, typename GradAt>
HWY_INLINE void add_taps_gradient(int64_t count, int64_t channels, const RowsAt& rows_at,
                                  const GradAt& grad_at, float* grad_taps) {
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    Taps sum = load_taps(access, grad_taps, channels, c);
    for (int64_t i = 0; i < count; ++i) {
      const float* grad_row = grad_at(i) + c;
      slide<kStride>(access, rows_at(i), c,
                     [&](int64_t o, const Column& left, const Column& middle, const Column& right)
                         HWY_ATTR {
                           const Vec grad = access.load(grad_row + o * channels);
                           add_scaled(left, grad, sum.left);
                           add_scaled(middle, grad, sum.middle);
                           add_scaled(right, grad, sum.right);
                         });
    }
    store_taps(access, sum, grad_taps, channels, c);
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
