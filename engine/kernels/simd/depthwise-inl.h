// Depthwise 3x3 convolution row by row; included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_INL_H_
#undef EDGEPRUNE_DEPTHWISE_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_INL_H_
#endif

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// One image's row and the rows around it, `c` already added; a row outside the image is null.
struct Rows {
  const float* row[3];
};

inline Rows rows_around(const Conv2dShape& s, const float* image, int64_t oh) {
  Rows rows;
  for (int64_t kh = 0; kh < 3; ++kh) {
    const int64_t ih = oh * s.stride - 1 + kh;
    const bool inside = ih >= 0 && ih < s.in_height;
    rows.row[kh] = inside ? image + ih * s.in_width * s.in_channels : nullptr;
  }
  return rows;
}

/// Column iw of the three rows at channel c; zeros outside the image.
template <typename Access>
HWY_INLINE void load_column(const Access& access, const Conv2dShape& s, const Rows& rows,
                            int64_t iw, int64_t c, Vec column[3]) {
  const F32 d;
  const bool inside = iw >= 0 && iw < s.in_width;
  for (int kh = 0; kh < 3; ++kh) {
    column[kh] = inside && rows.row[kh] != nullptr
                     ? access.load(rows.row[kh] + iw * s.in_channels + c)
                     : hn::Zero(d);
  }
}

/// Walks one output row at one vector of channels, keeping the 3x3 window in registers: body(ow,
/// left, middle, right) with columns of three vectors. Stride 1 loads one new column an output,
/// stride 2 two.
template <int kStride, typename Access, typename Body>
HWY_INLINE void slide(const Access& access, const Conv2dShape& s, const Rows& rows, int64_t c,
                      const Body& body) {
  Vec left[3], middle[3], right[3];
  load_column(access, s, rows, -1, c, left);
  if constexpr (kStride == 1) load_column(access, s, rows, 0, c, middle);
  for (int64_t ow = 0; ow < s.out_width(); ++ow) {
    if constexpr (kStride == 2) load_column(access, s, rows, 2 * ow, c, middle);
    load_column(access, s, rows, kStride * ow + 1, c, right);
    body(ow, left, middle, right);
    for (int kh = 0; kh < 3; ++kh) {
      left[kh] = kStride == 1 ? middle[kh] : right[kh];
      if constexpr (kStride == 1) middle[kh] = right[kh];
    }
  }
}

template <int kStride, Activation kActivation>
void forward_row(const Conv2dShape& s, const Rows& rows, const float* taps, const float* bias,
                 float* output) {
  const int64_t channels = s.in_channels;
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    const F32 d;
    Vec w[9];
    for (int k = 0; k < 9; ++k) w[k] = access.load(taps + k * channels + c);
    const Vec start = bias != nullptr ? access.load(bias + c) : hn::Zero(d);
    slide<kStride>(access, s, rows, c,
                   [&](int64_t ow, const Vec* left, const Vec* middle, const Vec* right) HWY_ATTR {
                     Vec sum = start, other = hn::Mul(middle[1], w[4]);
                     for (int kh = 0; kh < 3; ++kh) {
                       sum = hn::MulAdd(left[kh], w[3 * kh], sum);
                       other = hn::MulAdd(right[kh], w[3 * kh + 2], other);
                     }
                     sum = hn::MulAdd(middle[0], w[1], sum);
                     other = hn::MulAdd(middle[2], w[7], other);
                     access.store(activate<kActivation>(hn::Add(sum, other)),
                                  output + ow * channels + c);
                   });
  });
}

/// Output rows [begin, end) of all images' rows taken together.
inline void forward_range(const Conv2dShape& s, const float* input, const float* taps, const float* bias,
                   Activation activation, float* output, int64_t begin, int64_t end) {
  const int64_t image = s.in_height * s.in_width * s.in_channels;
  const bool relu = activation == Activation::relu6;
  const auto row =
      s.stride == 1 ? (relu ? forward_row<1, Activation::relu6> : forward_row<1, Activation::none>)
                    : (relu ? forward_row<2, Activation::relu6> : forward_row<2, Activation::none>);
  for (int64_t r = begin; r < end; ++r) {
    const Rows rows = rows_around(s, input + r / s.out_height() * image, r % s.out_height());
    row(s, rows, taps, bias, output + r * s.out_width() * s.out_channels);
  }
}

/// grad_input rows [begin, end): every input pixel gathers from the outputs that read it.
inline void backward_data_range(const Conv2dShape& s, const float* grad_output, const float* taps,
                         float* grad_input, int64_t begin, int64_t end) {
  const int64_t channels = s.in_channels;
  const int64_t out_row = s.out_width() * channels;
  // The outputs o that read input i through tap k: o * stride - 1 + k == i.
  const auto output_of = [&](int64_t i, int64_t k, int64_t limit) {
    const int64_t o = i + 1 - k;
    return o >= 0 && o % s.stride == 0 && o / s.stride < limit ? o / s.stride : -1;
  };
  for (int64_t r = begin; r < end; ++r) {
    const float* image = grad_output + r / s.in_height * s.out_height() * out_row;
    int64_t oh[3];
    for (int64_t k = 0; k < 3; ++k) oh[k] = output_of(r % s.in_height, k, s.out_height());
    for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
      const F32 d;
      Vec w[9];
      for (int k = 0; k < 9; ++k) w[k] = access.load(taps + k * channels + c);
      for (int64_t iw = 0; iw < s.in_width; ++iw) {
        Vec sum = hn::Zero(d);
        for (int64_t kw = 0; kw < 3; ++kw) {
          const int64_t ow = output_of(iw, kw, s.out_width());
          if (ow < 0) continue;
          for (int64_t kh = 0; kh < 3; ++kh) {
            if (oh[kh] < 0) continue;
            const float* grad = image + oh[kh] * out_row + ow * channels + c;
            sum = hn::MulAdd(access.load(grad), w[3 * kh + kw], sum);
          }
        }
        access.store(sum, grad_input + (r * s.in_width + iw) * channels + c);
      }
    });
  }
}

/// Adds one image's gradient to grad_taps: nine sums in registers over the whole image.
template <int kStride>
void backward_weights_image(const Conv2dShape& s, const float* input, const float* grad_output,
                            float* grad_taps) {
  const int64_t channels = s.in_channels;
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    const F32 d;
    Vec sum[9];
    for (auto& v : sum) v = hn::Zero(d);
    for (int64_t oh = 0; oh < s.out_height(); ++oh) {
      const float* grad_row = grad_output + oh * s.out_width() * channels + c;
      slide<kStride>(access, s, rows_around(s, input, oh), c,
                     [&](int64_t ow, const Vec* left, const Vec* middle, const Vec* right)
                         HWY_ATTR {
                           const Vec grad = access.load(grad_row + ow * channels);
                           for (int kh = 0; kh < 3; ++kh) {
                             sum[3 * kh] = hn::MulAdd(left[kh], grad, sum[3 * kh]);
                             sum[3 * kh + 1] = hn::MulAdd(middle[kh], grad, sum[3 * kh + 1]);
                             sum[3 * kh + 2] = hn::MulAdd(right[kh], grad, sum[3 * kh + 2]);
                           }
                         });
    }
    for (int k = 0; k < 9; ++k) {
      float* total = grad_taps + k * channels + c;
      access.store(hn::Add(access.load(total), sum[k]), total);
    }
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
