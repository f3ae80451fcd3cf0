// Both gradients of a depthwise 3x3 convolution in one walk over the input's pixels, at each of
// which the window of the output's gradient serves both, and the batch norm's sums are taken while
// the result is in a register. Included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_DEPTHWISE_GRADIENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_GRADIENTS_INL_H_
#undef EDGEPRUNE_DEPTHWISE_GRADIENTS_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_GRADIENTS_INL_H_
#endif

#include "engine/kernels/simd/depthwise-inl.h"
#include "engine/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// Whether the taps, their sums and a window fit the registers. Where they do not (16 of them), one
/// gradient after the other takes a fifth less time.
constexpr bool kFitsTwoWindows = HWY_CAP_GE512;

// What takes part in a walk is passed on by functions that are always inlined, and never captured
// by a lambda, which compilers may leave a function of its own: all sums would live in memory.

/// Some rows of one image's input.
struct GradientBand {
  int64_t rows, width, out_width, channels;
  const float* const* grads;      ///< rows of the output's gradient, from the one above the band on
  float *grad_input, *grad_taps;  ///< from the band's first pixel on; added to
  const float *next_grad, *next_behind;  ///< the gradient that the next band will ask for, and what
                                         ///< it is read through

  int64_t pixels() const { return rows * width; }
  /// Memory works during the arithmetic: what is at the same place of the next band.
  HWY_INLINE void fetch(int64_t out_pixel, int64_t c) const {
    __builtin_prefetch(next_grad + out_pixel * channels + c, 0, 2);
    __builtin_prefetch(next_behind + out_pixel * channels + c, 0, 2);
  }
};

/// One vector of channels of a band's pixels: value() is what the layer read; put(), which is called
/// with the same pixel's gradient afterwards, writes that and adds it to the sums.
template <typename Access, typename Activate, typename To>
class GradientColumn {
 public:
  GradientColumn(const Access& access, const GradientBand& band, const Normalized& x,
                 const Activate& activate, const float* mean, const To& destination,
                 SumsByColumn& sums, int64_t c)
      : access_(access),
        activate_(activate),
        destination_(destination),
        x_(x.data + c),
        grad_(band.grad_input + c),
        channels_(band.channels),
        ahead_(band.pixels() * band.channels),
        c_(c),
        sums_(sums),
        taken_over_(sums.taken_over()),
        scale_(access.load(x.scale + c)),
        shift_(access.load(x.shift + c)),
        mean_(access.load(mean + c)),
        one_(access.load(sums.first(c))),
        two_(access.load(sums.second(c))) {}

  HWY_INLINE Vec value(int64_t pixel) {
    const float* at = x_ + pixel * channels_;
    __builtin_prefetch(at + ahead_, 0, 2);
    value_ = access_.load(at);
    z_ = hn::MulAdd(value_, scale_, shift_);
    return activate_(z_);
  }
  HWY_INLINE void put(int64_t pixel, Vec grad) {
    if constexpr (To::kStreamed && To::kWholeLines) {
      destination_.put(grad, pixel * channels_ + c_);
    } else {
      access_.store(grad, grad_ + pixel * channels_);
    }
    const Vec g = activate_.gradient(grad, z_);
    one_ = hn::Add(one_, g);
    two_ = hn::MulAdd(g, hn::Sub(value_, mean_), two_);
    if (++added_ != *taken_over_) return;
    end();
    sums_.take_over(c_, hn::Lanes(F32()));
    one_ = two_ = hn::Zero(F32());
    ++taken_over_;
  }
  HWY_INLINE void end() {
    access_.store(one_, sums_.first(c_));
    access_.store(two_, sums_.second(c_));
  }

 private:
  Access access_;
  Activate activate_;
  To destination_;
  const float* x_;
  float* grad_;
  int64_t channels_, ahead_, c_, added_ = 0;
  SumsByColumn& sums_;
  const int64_t* taken_over_;
  Vec scale_, shift_, mean_, one_, two_, value_ = hn::Zero(F32()), z_ = hn::Zero(F32());
};

/// Adds x's contributions to the taps' gradient; the outputs that read x have those gradients.
HWY_INLINE void add_contributions(Vec x, const Column& grad, Column& sum) {
  sum.top = hn::MulAdd(grad.bottom, x, sum.top);
  sum.middle = hn::MulAdd(grad.middle, x, sum.middle);
  sum.bottom = hn::MulAdd(grad.top, x, sum.bottom);
}

/// Stride 1, where the input's gradient is the same convolution with `turned` taps.
template <typename Access, typename InputColumn>
HWY_INLINE void walk(const Access& access, const GradientBand& band, int64_t c, const float* turned,
                     InputColumn& input) {
  const Vec zero = hn::Zero(F32());
  const Taps w = load_taps(access, turned, band.channels, c);
  Taps sum = load_taps(access, band.grad_taps, band.channels, c);
  for (int64_t i = 0; i < band.rows; ++i) {
    const float* const* grads = band.grads + i;
    const Rows<3> rows{{grads[0], grads[1], grads[2]}, band.width, band.channels};
    Column left = zero_column(), middle = rows.load(access, 0, c);
    for (int64_t o = 0; o < band.width; ++o) {
      const Column right = o + 1 < band.width ? rows.load(access, o + 1, c) : zero_column();
      const int64_t pixel = i * band.width + o;
      band.fetch(pixel, c);
      const Vec x = input.value(pixel);
      add_contributions(x, right, sum.left);
      add_contributions(x, middle, sum.middle);
      add_contributions(x, left, sum.right);
      const Vec one = add_products(left, w.left, zero);
      const Vec two = add_products(middle, w.middle, add_products(right, w.right, zero));
      input.put(pixel, hn::Add(one, two));
      left = middle;
      middle = right;
    }
  }
  store_taps(access, sum, band.grad_taps, band.channels, c);
}

/// Stride 2, row i of the band. An even row was read by the middle taps of one row of the output, an
/// odd one (kRows = 2) by the lower taps of one and the upper taps of the next; columns likewise.
template <int kRows, typename Access, typename InputColumn>
HWY_INLINE void walk_row(const Access& access, const GradientBand& band, int64_t i, int64_t c,
                         const float* taps, InputColumn& input) {
  constexpr int kTapRow[] = {kRows == 1 ? 1 : 2, 0};
  const Vec zero = hn::Zero(F32());
  const int64_t channels = band.channels, row = i * band.width;
  const float* const* grad = band.grads + 1 + i / 2;
  Vec w[kRows][3], sum[kRows][3], g[kRows];
  for (int r = 0; r < kRows; ++r) {
    for (int k = 0; k < 3; ++k) {
      w[r][k] = access.load(taps + (3 * kTapRow[r] + k) * channels + c);
      sum[r][k] = access.load(band.grad_taps + (3 * kTapRow[r] + k) * channels + c);
    }
    g[r] = access.load(grad[r] + c);
  }
  for (int64_t o = 0; o < band.out_width; ++o) {
    if constexpr (kRows == 1) band.fetch(i / 2 * band.out_width + o, c);
    const Vec x = input.value(row + 2 * o);
    Vec even = zero, odd = zero;
    for (int r = 0; r < kRows; ++r) {
      sum[r][1] = hn::MulAdd(x, g[r], sum[r][1]);
      even = hn::MulAdd(g[r], w[r][1], even);
    }
    input.put(row + 2 * o, even);
    if (2 * o + 1 >= band.width) break;
    const Vec next = input.value(row + 2 * o + 1);
    for (int r = 0; r < kRows; ++r) {
      sum[r][2] = hn::MulAdd(next, g[r], sum[r][2]);
      odd = hn::MulAdd(g[r], w[r][2], odd);
      g[r] = o + 1 < band.out_width ? access.load(grad[r] + (o + 1) * channels + c) : zero;
      sum[r][0] = hn::MulAdd(next, g[r], sum[r][0]);
      odd = hn::MulAdd(g[r], w[r][0], odd);
    }
    input.put(row + 2 * o + 1, odd);
  }
  for (int r = 0; r < kRows; ++r) {
    for (int k = 0; k < 3; ++k) {
      access.store(sum[r][k], band.grad_taps + (3 * kTapRow[r] + k) * channels + c);
    }
  }
}

/// A band's gradients, through x, what the layer read from the band's first pixel on. Taps are
/// turned by 180 degrees with stride 1.
template <int kStride>
void add_gradients(const GradientBand& band, const float* taps, const Normalized& x,
                   const float* mean, float* to, PartSums& sums) {
  SumsByColumn by_column(sums, band.pixels());
  with_destination(to, [&](auto destination) HWY_ATTR {
    with_activation(form_of(x.activation), [&](auto activate) HWY_ATTR {
      for_each_vector(band.channels, [&](auto access, int64_t c) HWY_ATTR {
        GradientColumn input(access, band, x, activate, mean, destination, by_column, c);
        if constexpr (kStride == 1) {
          walk(access, band, c, taps, input);
        } else {
          for (int64_t i = 0; i < band.rows; i += 2) {
            walk_row<1>(access, band, i, c, taps, input);
            if (i + 1 < band.rows) walk_row<2>(access, band, i + 1, c, taps, input);
          }
        }
        input.end();
      });
    });
    if constexpr (!decltype(destination)::kWholeLines) {
      destination.put_rows(band.grad_input, band.pixels() * band.channels, 0);
    }
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
