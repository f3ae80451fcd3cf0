#include "engine/kernels/simd/batch_norm.h"

#include <vector>

#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/batch_norm.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/reader-inl.h"
#include "engine/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

void moments_range(const float* input, int64_t channels, PartMoments& part, int64_t begin,
                   int64_t end) {
  add_moments(input + begin * channels, end - begin, channels, nullptr, &part);
}

void backward_sums_range(const Normalized& input, int64_t channels, const float* mean,
                         const float* grad, PartSums& part, int64_t begin, int64_t end) {
  add_gradient_sums(from_row(input, begin, channels), mean, grad + begin * channels, end - begin,
                    channels, nullptr, &part);
}

template <typename Source>
void write_rows(const Source& source, int64_t channels, float* output, int64_t begin, int64_t end) {
  with_reader(source, channels, [&](const auto& reader) HWY_ATTR {
    read_rows(reader, begin, end, [=](auto access, int64_t row, int64_t c, Vec v) HWY_ATTR {
      access.store(v, output + row * channels + c);
    });
  });
}

void normalize_range(const Normalized& input, int64_t channels, float* output, int64_t begin,
                     int64_t end) {
  write_rows(input, channels, output, begin, end);
}

void normalize_gradient_range(const NormalizedGradient& grad, int64_t channels, float* output,
                              int64_t begin, int64_t end) {
  write_rows(grad, channels, output, begin, end);
}

void add_range(const Normalized& a, const Normalized& b, int64_t channels, float* output,
               int64_t begin, int64_t end) {
  with_reader(a, channels, [&](const auto& left) HWY_ATTR {
    with_reader(b, channels, [&](const auto& right) HWY_ATTR {
      read_rows(left, begin, end, [=](auto access, int64_t row, int64_t c, Vec v) HWY_ATTR {
        const Vec other = right.read(access, right.coefficients(access, c), row, c);
        access.store(hn::Add(v, other), output + row * channels + c);
      });
    });
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(moments_range);
HWY_EXPORT(backward_sums_range);
HWY_EXPORT(normalize_range);
HWY_EXPORT(normalize_gradient_range);
HWY_EXPORT(add_range);

namespace {
constexpr int64_t kGrainRows = 64;
}

void batch_norm_statistics(const float* input, int64_t rows, int64_t channels,
                           const Moments& moments) {
  auto parts = parts_of<PartMoments>(thread_count(), channels);
  parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int part) {
    HWY_DYNAMIC_DISPATCH(moments_range)(input, channels, parts[part], begin, end);
  });
  combine(std::move(parts), moments);
}

void normalize(const Normalized& input, int64_t rows, int64_t channels, float* output) {
  parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(normalize_range)(input, channels, output, begin, end);
  });
}

void normalize(const NormalizedGradient& grad, int64_t rows, int64_t channels, float* output) {
  parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(normalize_gradient_range)(grad, channels, output, begin, end);
  });
}

void add(const Normalized& a, const Normalized& b, int64_t rows, int64_t channels, float* output) {
  parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(add_range)(a, b, channels, output, begin, end);
  });
}

void batch_norm_backward_sums(const Normalized& input, const float* grad, int64_t rows,
                              int64_t channels, const GradientSums& sums) {
  auto parts = parts_of<PartSums>(thread_count(), channels);
  parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int part) {
    HWY_DYNAMIC_DISPATCH(backward_sums_range)
    (input, channels, sums.mean, grad, parts[part], begin, end);
  });
  combine(std::move(parts), sums);
}

}  // namespace edgeprune::simd
#endif
