#include "engine/kernels/simd/depthwise.h"

#include <vector>

#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/depthwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/depthwise_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// Output rows [begin, end) of all images' rows taken together.
template <int kSize, int kStride>
void forward_rows(const Conv2dShape& s, const float* input, const float* taps, const float* bias,
                  Activation activation, float* output, int64_t begin, int64_t end) {
  thread_local std::vector<float> zeros;  // kept, so that a plan's runs allocate nothing
  const int64_t in_row = s.in_width * s.in_channels, out_row = s.out_width() * s.out_channels;
  if (zeros.size() < size_t(in_row)) zeros.assign(size_t(in_row), 0.0f);
  with_activation(form_of(activation), [&](const auto& activate) HWY_ATTR {
    for (int64_t r = begin; r < end; ++r) {
      const float* image = input + r / s.out_height() * s.in_height * in_row;
      Rows<kSize> rows{{}, s.in_width, s.in_channels};
      for (int64_t k = 0; k < kSize; ++k) {
        const int64_t ih = r % s.out_height() * kStride - kSize / 2 + k;
        rows.row[k] = ih >= 0 && ih < s.in_height ? image + ih * in_row : zeros.data();
      }
      forward_row<kStride>(rows, taps, bias, activate, output + r * out_row);
    }
  });
}

void forward_range(const Conv2dShape& s, const float* input, const float* taps, const float* bias,
                   Activation activation, float* output, int64_t begin, int64_t end) {
  with_window(s, [&](auto size, auto stride) HWY_ATTR {
    forward_rows<size, stride>(s, input, taps, bias, activation, output, begin, end);
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(forward_range);

bool depthwise_supported(const Conv2dShape& s) {
  return s.groups == s.in_channels && s.groups == s.out_channels &&
         (s.kernel == 3 || s.kernel == 5) && s.padding == s.kernel / 2 &&
         (s.stride == 1 || s.stride == 2);
}

void filters_to_taps(const float* filters, int64_t channels, float* taps, int64_t kernel) {
  const int64_t count = kernel * kernel;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < count; ++k) taps[k * channels + c] = filters[c * count + k];
  }
}

void taps_to_filters(const float* taps, int64_t channels, float* filters, int64_t kernel) {
  const int64_t count = kernel * kernel;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < count; ++k) filters[c * count + k] = taps[k * channels + c];
  }
}

void depthwise_forward(const Conv2dShape& s, const float* input, const float* taps,
                       const float* bias, Activation activation, float* output) {
  parallel_for(s.batch * s.out_height(), 1, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(forward_range)(s, input, taps, bias, activation, output, begin, end);
  });
}

}  // namespace edgeprune::simd
#endif
