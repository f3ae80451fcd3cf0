// Depthwise 3x3 convolutions in training, in one walk over a band's pixels: forward with the output's
// moments; backward with both gradients, which share each window of the output's gradient, and the
// sums of the batch norm in front. Included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_DEPTHWISE_WALK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_WALK_INL_H_
#undef EDGEPRUNE_DEPTHWISE_WALK_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_WALK_INL_H_
#endif

#include "engine/kernels/simd/depthwise-inl.h"
#include "engine/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// Whether taps, their sums and a window fit the registers. Where they do not (16 of them), one thing
/// after the other takes less time (both gradients: a fifth).
constexpr bool kWalkFits = HWY_CAP_GE512;

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

/// Two sums of one vector of channels, pixel by pixel.
template <typename Access>
class ColumnSums {
 public:
  ColumnSums(const Access& access, const SumsByColumn& all, int64_t c)
      : one(access.load(all.first(c))),
        two(access.load(all.second(c))),
        access_(access),
        all_(all),
        taken_over_(all.taken_over()),
        c_(c) {}
  Vec one, two;

  HWY_INLINE void added() {
    if (++added_ != *taken_over_) return;
    end();
    all_.take_over(c_, hn::Lanes(F32()));
    one = two = hn::Zero(F32());
    ++taken_over_;
  }
  HWY_INLINE void end() const {
    access_.store(one, all_.first(c_));
    access_.store(two, all_.second(c_));
  }

 private:
  Access access_;
  const SumsByColumn& all_;
  const int64_t* taken_over_;
  int64_t c_, added_ = 0;
};

/// Streams a result, or writes it to `block`, at the same place of both.
template <typename Access, typename To>
HWY_INLINE void put_result(const Access& access, const To& destination, Vec v, float* block,
                           int64_t at) {
  if constexpr (To::kStreamed && To::kWholeLines) {
    destination.put(v, at);
  } else {
    access.store(v, block + at);
  }
}

/// One vector of channels of a band's pixels: value() is what the layer read; put(), which is called
/// with the same pixel's gradient afterwards, writes that and adds it to the sums.
template <typename Access, typename Activate, typename To>
class GradientColumn {
 public:
  GradientColumn(const Access& access, const GradientBand& band, const Normalized& x,
                 const Activate& activate, const float* mean, const To& destination,
                 const SumsByColumn& sums, int64_t c)
      : access_(access),
        activate_(activate),
        destination_(destination),
        x_(x.data + c),
        block_(band.grad_input),
        channels_(band.channels),
        ahead_(band.pixels() * band.channels),
        c_(c),
        sums_(access, sums, c),
        scale_(access.load(x.scale + c)),
        shift_(access.load(x.shift + c)),
        mean_(access.load(mean + c)) {}

  HWY_INLINE Vec value(int64_t pixel) {
    const float* at = x_ + pixel * channels_;
    __builtin_prefetch(at + ahead_, 0, 2);
    value_ = access_.load(at);
    z_ = hn::MulAdd(value_, scale_, shift_);
    return activate_(z_);
  }
  HWY_INLINE void put(int64_t pixel, Vec grad) {
    put_result(access_, destination_, grad, block_, pixel * channels_ + c_);
    const Vec g = activate_.gradient(grad, z_);
    sums_.one = hn::Add(sums_.one, g);
    sums_.two = hn::MulAdd(g, hn::Sub(value_, mean_), sums_.two);
    sums_.added();
  }
  HWY_INLINE void end() const { sums_.end(); }

 private:
  Access access_;
  Activate activate_;
  To destination_;
  const float* x_;
  float* block_;
  int64_t channels_, ahead_, c_;
  ColumnSums<Access> sums_;
  Vec scale_, shift_, mean_, value_ = hn::Zero(F32()), z_ = hn::Zero(F32());
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
                   const float* mean, float* to, SumsByColumn& sums) {
  sums.start();
  sums.count(band.pixels());
  with_destination(to, [&](auto destination) HWY_ATTR {
    with_activation(form_of(x.activation), [&](auto activate) HWY_ATTR {
      for_each_vector(band.channels, [&](auto access, int64_t c) HWY_ATTR {
        GradientColumn input(access, band, x, activate, mean, destination, sums, c);
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

/// Some rows of one image's output.
struct OutputBand {
  int64_t rows, width, in_width, channels;
  const float* const* inputs;  ///< rows of the input, from the one above the band on
  float* block;                ///< from the band's first pixel on
  const float* next;           ///< the input that the next band will ask for
};

/// One vector of channels of a band, as the convolution puts it out; its moments' sums on the way.
template <int kStride, typename Access, typename To>
HWY_INLINE void walk_outputs(const Access& access, const OutputBand& band, int64_t c, const Taps& w,
                             Vec origin, const To& destination, ColumnSums<Access>& sums) {
  const Vec zero = hn::Zero(F32());
  const int64_t channels = band.channels;
  for (int64_t i = 0; i < band.rows; ++i) {
    const float* const* in = band.inputs + kStride * i;
    const Rows<3> rows{{in[0], in[1], in[2]}, band.in_width, channels};
    Column left = zero_column(), middle = rows.load(access, 0, c);
    for (int64_t o = 0; o < band.width; ++o) {
      const int64_t next = kStride * o + 1;
      const Column right = next < band.in_width ? rows.load(access, next, c) : zero_column();
      for (int row = 0; row < kStride; ++row) {
        for (int column = 0; column < kStride; ++column) {
          const int64_t pixel = (kStride * i + row) * band.in_width + kStride * o + column;
          __builtin_prefetch(band.next + pixel * channels + c, 0, 2);
        }
      }
      const Vec one = add_products(left, w.left, zero);
      const Vec two = add_products(middle, w.middle, add_products(right, w.right, zero));
      const Vec value = hn::Add(one, two);
      put_result(access, destination, value, band.block, (i * band.width + o) * channels + c);
      const Vec x = hn::Sub(value, origin);
      sums.one = hn::Add(sums.one, x);
      sums.two = hn::MulAdd(x, x, sums.two);
      sums.added();
      if constexpr (kStride == 1) {
        left = middle;
        middle = right;
      } else {
        left = right;
        if (next + 1 < band.in_width) middle = rows.load(access, next + 1, c);
      }
    }
  }
}

/// A band's output, to `to` or (null) to its block, and its moments' sums from `origin`.
template <int kStride>
void put_outputs(const OutputBand& band, const float* taps, const float* origin, float* to,
                 SumsByColumn& sums) {
  sums.start();
  for (int64_t i = 0; i < band.rows; ++i) sums.count(band.width);
  with_destination(to, [&](auto destination) HWY_ATTR {
    for_each_vector(band.channels, [&](auto access, int64_t c) HWY_ATTR {
      ColumnSums column(access, sums, c);
      walk_outputs<kStride>(access, band, c, load_taps(access, taps, band.channels, c),
                            access.load(origin + c), destination, column);
      column.end();
    });
    if constexpr (!decltype(destination)::kWholeLines) {
      destination.put_rows(band.block, band.rows * band.width * band.channels, 0);
    }
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
