// Per-channel sums over rows; included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_SUMS_INL_H_
#undef EDGEPRUNE_SUMS_INL_H_
#else
#define EDGEPRUNE_SUMS_INL_H_
#endif

#include <algorithm>
#include <type_traits>
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

/// `count` floats, whole lines, unless `to` is null.
inline void stream(const float* from, int64_t count, float* to) {
  if (to == nullptr) return;
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(F32()))) {
    hn::Stream(hn::LoadU(F32(), from + i), F32(), to + i);
  }
}

/// What happens to finished rows while they are summed: they are streamed past the caches to `to`,
/// or (null) stay where they are. Vectors of a whole line go as they come. Shorter ones wait until
/// their rows are complete: the sums run down columns, and a processor has too few write-combining
/// buffers for as many half-written lines (16x16x144 forward, AVX2, batch 128: 13 ms, 7 ms so).
template <bool kStream>
struct Destination {
  static constexpr bool kStreamed = kStream;
  static constexpr bool kWholeLines = hn::MaxLanes(F32()) * sizeof(float) >= 64;
  float* to;
  HWY_INLINE void put(Vec v, int64_t at) const {
    if constexpr (kStream && kWholeLines) hn::Stream(v, F32(), to + at);
  }
  HWY_INLINE void put_rows(const float* from, int64_t count, int64_t at) const {
    if constexpr (kStream && !kWholeLines) stream(from + at, count, to + at);
  }
};
template <typename Body>
HWY_INLINE void with_destination(float* to, const Body& body) {
  if (to != nullptr) return body(Destination<true>{to});
  body(Destination<false>{nullptr});
}

/// Adds the first `count` of `rows`, several side by side: the sums are loaded and stored once for
/// all.
template <typename To, typename Body>
HWY_INLINE void sum_range(const float* rows, int64_t count, int64_t channels, const To& destination,
                          PartSums& sums, const Body& body) {
  sums.begin();
  int64_t row = 0;
  const auto add = [&](auto side_by_side) HWY_ATTR {
    constexpr int kRows = decltype(side_by_side)::value;
    for (; row + kRows <= count; row += kRows) {
      sum_rows<kRows>(row, channels, sums, body);
      destination.put_rows(rows, kRows * channels, row * channels);
    }
  };
  add(std::integral_constant<int, 8>());
  add(std::integral_constant<int, 2>());
  add(std::integral_constant<int, 1>());
}

/// The sums of some rows for those who go through them channel by channel: the same bits, as the
/// block is taken over behind the same rows as sum_range() does.
class SumsByColumn {
 public:
  explicit SumsByColumn(PartSums& sums) : sums_(sums) {}
  /// Before the first of some rows; then count() as sum_range() would be called.
  void start() {
    sums_.begin();
    counted_ = 0;
    taken_over_.assign(1, -1);
  }
  void count(int64_t rows) {
    taken_over_.pop_back();
    for (const int64_t side_by_side : {8, 2, 1}) {
      for (; rows >= side_by_side; rows -= side_by_side) {
        counted_ += side_by_side;
        if (sums_.counted(side_by_side)) taken_over_.push_back(counted_);
      }
    }
    taken_over_.push_back(-1);
  }
  /// So many rows after which to call take_over(), and -1.
  const int64_t* taken_over() const { return taken_over_.data(); }
  float* first(int64_t c) const { return sums_.block.data() + c; }
  float* second(int64_t c) const { return first(static_cast<int64_t>(sums_.first.size()) + c); }
  /// The next lanes from channel c on, as far as there are so many.
  void take_over(int64_t c, size_t lanes) const {
    const auto at = static_cast<size_t>(c), end = std::min(at + lanes, sums_.first.size());
    for (size_t i = at; i < end; ++i) {
      sums_.first[i] += *first(static_cast<int64_t>(i));
      sums_.second[i] += *second(static_cast<int64_t>(i));
    }
  }

 private:
  PartSums& sums_;
  int64_t counted_ = 0;
  std::vector<int64_t> taken_over_;
};

/// Adds `count` finished rows to a part's moments, if there is one. An origin near the mean avoids
/// cancellation in the variance.
inline void add_moments(const float* rows, int64_t count, int64_t channels, float* to,
                        PartMoments* part) {
  if (part == nullptr) return stream(rows, count * channels, to);
  if (part->rows == 0) part->origin = rough_mean(rows, count, channels);
  part->rows += count;
  const float* origin = part->origin.data();
  with_destination(to, [&](auto destination) HWY_ATTR {
    sum_range(rows, count, channels, destination, part->sums,
              [&](auto access, int64_t row, int64_t c, Vec& one, Vec& two) HWY_ATTR {
                const Vec value = access.load(rows + row * channels + c);
                const Vec x = hn::Sub(value, access.load(origin + c));
                one = hn::Add(one, x);
                two = hn::MulAdd(x, x, two);
                destination.put(value, row * channels + c);
              });
  });
}

template <typename Activate>
void add_gradient_sums_of(const Normalized& x, const Activate& activate, const float* mean,
                          const float* grad, int64_t count, float* to, PartSums& part) {
  const int64_t channels = static_cast<int64_t>(part.first.size());
  with_destination(to, [&](auto destination) HWY_ATTR {
    sum_range(grad, count, channels, destination, part,
              [&](auto access, int64_t row, int64_t c, Vec& one, Vec& two) HWY_ATTR {
                const Vec value = access.load(x.data + row * channels + c);
                const Vec z = hn::MulAdd(value, access.load(x.scale + c), access.load(x.shift + c));
                const Vec all = access.load(grad + row * channels + c);
                const Vec g = activate.gradient(all, z);
                one = hn::Add(one, g);
                two = hn::MulAdd(g, hn::Sub(value, access.load(mean + c)), two);
                destination.put(all, row * channels + c);
              });
  });
}

/// Adds `count` finished rows of `grad`, the gradient of what readers of x see, to a part's
/// GradientSums, if there is one.
inline void add_gradient_sums(const Normalized& x, const float* mean, const float* grad,
                              int64_t count, int64_t channels, float* to, PartSums* part) {
  if (part == nullptr) return stream(grad, count * channels, to);
  with_activation(form_of(x.activation), [&](const auto& activate) HWY_ATTR {
    add_gradient_sums_of(x, activate, mean, grad, count, to, *part);
  });
}

/// x from that row on.
inline Normalized from_row(const Normalized& x, int64_t row, int64_t channels) {
  Normalized result = x;
  result.data += row * channels;
  return result;
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
