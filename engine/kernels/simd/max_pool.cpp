#include "engine/kernels/simd/max_pool.h"

#include <algorithm>
#include <limits>

#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/max_pool.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// Output rows [begin, end) of all images' rows taken together.
void max_pool_range(const Conv2dShape& s, const float* input, float* output, float* taps,
                    int64_t begin, int64_t end) {
  const F32 d;
  const int64_t channels = s.in_channels, out_width = s.out_width();
  for (int64_t r = begin; r < end; ++r) {
    const float* image = input + r / s.out_height() * s.in_height * s.in_width * channels;
    const int64_t top = r % s.out_height() * s.stride - s.padding;
    const int64_t first_row = std::max<int64_t>(0, -top);
    const int64_t last_row = std::min(s.kernel, s.in_height - top);
    for (int64_t o = 0; o < out_width; ++o) {
      const int64_t left = o * s.stride - s.padding;
      const int64_t first = std::max<int64_t>(0, -left),
                    last = std::min(s.kernel, s.in_width - left);
      const int64_t to = (r * out_width + o) * channels;
      for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
        Vec best = hn::Set(d, -std::numeric_limits<float>::infinity());
        Vec tap = hn::Set(d, static_cast<float>(first_row * s.kernel + first));
        for (int64_t y = first_row; y < last_row; ++y) {
          for (int64_t x = first; x < last; ++x) {
            const Vec v = access.load(image + ((top + y) * s.in_width + left + x) * channels + c);
            const auto better = hn::Or(hn::Gt(v, best), hn::IsNaN(v));
            best = hn::IfThenElse(better, v, best);
            tap = hn::IfThenElse(better, hn::Set(d, static_cast<float>(y * s.kernel + x)), tap);
          }
        }
        access.store(best, output + to + c);
        if (taps != nullptr) access.store(tap, taps + to + c);
      });
    }
  }
}

/// Input rows [begin, end) of all images' rows taken together.
void max_pool_backward_range(const Conv2dShape& s, const float* grad_output, const float* taps,
                             float* grad_input, int64_t begin, int64_t end) {
  const F32 d;
  const int64_t channels = s.in_channels, out_width = s.out_width(), out_height = s.out_height();
  // The outputs whose windows hold an input's coordinate, moved by the padding.
  const auto first_reader = [&](int64_t at) {
    return std::max<int64_t>(0, (at - s.kernel + s.stride) / s.stride);
  };
  for (int64_t r = begin; r < end; ++r) {
    const int64_t y = r % s.in_height + s.padding;
    const int64_t image = r / s.in_height * out_height;
    for (int64_t w = 0; w < s.in_width; ++w) {
      const int64_t x = w + s.padding;
      for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
        Vec sum = hn::Zero(d);
        for (int64_t oh = first_reader(y); oh < out_height && oh * s.stride <= y; ++oh) {
          for (int64_t ow = first_reader(x); ow < out_width && ow * s.stride <= x; ++ow) {
            const int64_t from = ((image + oh) * out_width + ow) * channels + c;
            const int64_t tap = (y - oh * s.stride) * s.kernel + x - ow * s.stride;
            const auto chosen =
                hn::Eq(access.load(taps + from), hn::Set(d, static_cast<float>(tap)));
            sum = hn::Add(sum, hn::IfThenElseZero(chosen, access.load(grad_output + from)));
          }
        }
        access.store(sum, grad_input + (r * s.in_width + w) * channels + c);
      });
    }
  }
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(max_pool_range);
HWY_EXPORT(max_pool_backward_range);

void max_pool(const Conv2dShape& s, const float* input, float* output, float* taps) {
  parallel_for(s.batch * s.out_height(), 1, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(max_pool_range)(s, input, output, taps, begin, end);
  });
}

void max_pool_backward(const Conv2dShape& s, const float* grad_output, const float* taps,
                       float* grad_input) {
  parallel_for(s.batch * s.in_height, 1, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(max_pool_backward_range)(s, grad_output, taps, grad_input, begin, end);
  });
}

}  // namespace edgeprune::simd
#endif
