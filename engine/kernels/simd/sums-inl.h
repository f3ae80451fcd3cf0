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

constexpr int64_t kBlockRows = 64;  // summed in float, then in double: six digits of the variance
constexpr int64_t kRowsAtOnce =
    8;  // read side by side: the sums are loaded and stored once for all

/// Per-channel sums of a part of the rows: of 64 rows in float, of all in double.
class BlockSums {
 public:
  BlockSums(int64_t channels, double* first, double* second)
      : channels_(channels), total_{first, second}, block_(2 * channels, 0.0f) {}

  float* first() { return block_.data(); }
  float* second() { return block_.data() + channels_; }

  void flush() {
    for (int sum = 0; sum < 2; ++sum) {
      float* block = &block_[sum * channels_];
      for (int64_t c = 0; c < channels_; ++c) total_[sum][c] += block[c];
      std::fill_n(block, channels_, 0.0f);
    }
  }

 private:
  int64_t channels_;
  double* total_[2];
  std::vector<float> block_;
};

/// Rows [row, row + kRows): body(access, row, c, one, two) adds one row's vector to two sums.
template <int kRows, typename Body>
HWY_INLINE void sum_rows(int64_t row, int64_t channels, BlockSums& sums, const Body& body) {
  float *first = sums.first(), *second = sums.second();
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    Vec one = access.load(first + c), two = access.load(second + c);
    for (int r = 0; r < kRows; ++r) body(access, row + r, c, one, two);
    access.store(one, first + c);
    access.store(two, second + c);
  });
}

/// Adds the per-channel sums of rows [begin, end) to doubles.
template <typename Body>
HWY_INLINE void sum_blocks(int64_t begin, int64_t end, int64_t channels, double* first,
                           double* second, const Body& body) {
  BlockSums sums(channels, first, second);
  int64_t row = begin;
  for (int64_t in_block = 0; row + kRowsAtOnce <= end; row += kRowsAtOnce) {
    sum_rows<kRowsAtOnce>(row, channels, sums, body);
    in_block += kRowsAtOnce;
    if (in_block == kBlockRows) {
      sums.flush();
      in_block = 0;
    }
  }
  for (; row < end; ++row) sum_rows<1>(row, channels, sums, body);
  sums.flush();
}

/// Adds rows [begin, end) of `input` to a part's moments. An origin near the mean avoids cancellation
/// in the variance.
inline void add_moments(const float* input, int64_t begin, int64_t end, PartMoments& part) {
  const int64_t channels = static_cast<int64_t>(part.sum.size());
  if (part.rows == 0) part.origin = rough_mean(input + begin * channels, end - begin, channels);
  part.rows += end - begin;
  const float* origin = part.origin.data();
  sum_blocks(begin, end, channels, part.sum.data(), part.squares.data(),
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
  sum_blocks(begin, end, channels, part.first.data(), part.second.data(),
             [&](auto access, int64_t row, int64_t c, Vec& one, Vec& two) HWY_ATTR {
               const Vec value = access.load(x.data + row * channels + c);
               const Vec z = hn::MulAdd(value, access.load(x.scale + c), access.load(x.shift + c));
               const Vec g =
                   activation_gradient<kActivation>(access.load(grad + row * channels + c), z);
               one = hn::Add(one, g);
               two = hn::MulAdd(g, hn::Sub(value, access.load(mean + c)), two);
             });
}

/// Adds rows [begin, end) to a part's GradientSums; `grad` is the gradient of what readers of x see.
inline void add_gradient_sums(const Normalized& x, const float* mean, const float* grad,
                              int64_t begin, int64_t end, PartSums& part) {
  const auto add = x.activation == Activation::relu6 ? add_gradient_sums_of<Activation::relu6>
                                                     : add_gradient_sums_of<Activation::none>;
  add(x, mean, grad, begin, end, part);
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
