// Per-channel sums over rows; included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_SUMS_INL_H_
#undef EDGEPRUNE_SUMS_INL_H_
#else
#define EDGEPRUNE_SUMS_INL_H_
#endif

#include <algorithm>
#include <vector>

#include "engine/kernels/normalized.h"
#include "engine/kernels/simd/partial_sums.h"
#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// Rows [row, row + kRows): body(access, row, c, one, two) adds one row's vector to two sums.
template <int kRows, typename Body>
HWY_INLINE void sum_rows(int64_t row, int64_t channels, PartSums& sums, const Body& body) {
  float *first = sums.block.data(), *second = first + channels;
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    Vec one = access.load(first + c), two = access.load(second + c);
    for (int r = 0; r < kRows; ++r) body(access, row + r, c, one, two);
    access.store(one, first + c);
    access.store(two, second + c);
  });
  sums.added(kRows);
}

/// Adds rows [begin, end), several side by side: the sums are loaded and stored once for all.
template <typename Body>
HWY_INLINE void sum_range(int64_t begin, int64_t end, int64_t channels, PartSums& sums,
                          const Body& body) {
  int64_t row = begin;
  for (; row + 8 <= end; row += 8) sum_rows<8>(row, channels, sums, body);
  for (; row + 2 <= end; row += 2) sum_rows<2>(row, channels, sums, body);
  for (; row < end; ++row) sum_rows<1>(row, channels, sums, body);
}

/// Adds rows [begin, end) of `input` to a part's moments. An origin near the mean avoids
/// cancellation in the variance.
inline void add_moments(const float* input, int64_t begin, int64_t end, PartMoments& part) {
  const int64_t channels = static_cast<int64_t>(part.sums.first.size());
  if (part.rows == 0) part.origin = rough_mean(input + begin * channels, end - begin, channels);
  part.rows += end - begin;
  const float* origin = part.origin.data();
  sum_range(begin, end, channels, part.sums,
            [&](auto access, int64_t row, int64_t c, Vec& one, Vec& two) HWY_ATTR {
              const Vec x =
                  hn::Sub(access.load(input + row * channels + c), access.load(origin + c));
              one = hn::Add(one, x);
              two = hn::MulAdd(x, x, two);
            });
}

template <Activation kActivation>
void add_gradient_sums_of(const Normalized& x, const float* mean, const float* grad, int64_t begin,
                          int64_t end, PartSums& part) {
  const int64_t channels = static_cast<int64_t>(part.first.size());
  sum_range(begin, end, channels, part,
            [&](auto access, int64_t row, int64_t c, Vec& one, Vec& two) HWY_ATTR {
              const Vec value = access.load(x.data + row * channels + c);
              const Vec z = hn::MulAdd(value, access.load(x.scale + c), access.load(x.shift + c));
              const Vec g =
                  activation_gradient<kActivation>(access.load(grad + row * channels + c), z);
              one = hn::Add(one, g);
              two = hn::MulAdd(g, hn::Sub(value, access.load(mean + c)), two);
            });
}

/// Adds rows [begin, end) to a part's GradientSums; `grad` is the gradient of what readers of x
/// see.
inline void add_gradient_sums(const Normalized& x, const float* mean, const float* grad,
                              int64_t begin, int64_t end, PartSums& part) {
  const auto add = x.activation == Activation::relu6 ? add_gradient_sums_of<Activation::relu6>
                                                     : add_gradient_sums_of<Activation::none>;
  add(x, mean, grad, begin, end, part);
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
