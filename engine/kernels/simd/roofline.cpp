#include "engine/kernels/simd/roofline.h"

#include <algorithm>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/parallel.h"
#include "engine/base/timer.h"
#include "engine/kernels/simd/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/roofline.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

constexpr int kChains = 12;  // independent sums: enough to hide the latency of a multiply-add

/// Runs `rounds` x kChains vector multiply-adds and returns their number of floating-point
/// operations.
double multiply_add_chains(int64_t rounds, float* sink) {
  const F32 d;
  const Vec x = hn::Set(d, 0.999f), y = hn::Set(d, 1e-3f);
  Vec sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
    for (int i = 0; i < kChains; ++i) sums[i] = hn::MulAdd(sums[i], x, y);
  }
  Vec total = sums[0];
  for (int i = 1; i < kChains; ++i) total = hn::Add(total, sums[i]);
  hn::StoreU(total, d, sink);
  return 2.0 * kChains * double(rounds) * double(hn::Lanes(d));
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(multiply_add_chains);

namespace {

constexpr int kRepeats = 7;

/// The best of a few: a limit is what the machine does undisturbed.
template <typename Run>
double shortest_seconds(const Run& run) {
  run();
  double best = 1e9;
  for (int i = 0; i < kRepeats; ++i) {
    const Stopwatch watch;
    run();
    best = std::min(best, watch.seconds());
  }
  return best;
}

}  // namespace

double peak_gflops() {
  const int threads = thread_count();
  std::vector<float> sink(threads * 64);
  std::vector<double> flops(threads);
  const double seconds = shortest_seconds([&] {
    parallel_for(threads, 1, [&](int64_t, int64_t, int part) {
      flops[part] = HWY_DYNAMIC_DISPATCH(multiply_add_chains)(2'000'000, &sink[part * 64]);
    });
  });
  double total = 0;
  for (const double f : flops) total += f;
  return total / seconds * 1e-9;
}

double memory_bandwidth() {
  const size_t count = size_t{1} << 26;  // 256 MB each
  const auto a = allocate_floats(count), b = allocate_floats(count);
  std::fill_n(a.get(), count, 1.0f);
  std::fill_n(b.get(), count, 1.0f);
  const double seconds =
      shortest_seconds([&] { add(a.get(), b.get(), static_cast<int64_t>(count), b.get()); });
  return 3.0 * sizeof(float) * double(count) / seconds * 1e-9;
}

double cache_bandwidth(int64_t bytes) {
  const int threads = thread_count();
  const int64_t count = std::max<int64_t>(1, bytes / 2 / static_cast<int64_t>(sizeof(float)));
  const int64_t rounds = std::max<int64_t>(1, (int64_t{1} << 23) / count);
  const auto a = allocate_floats(threads * count), b = allocate_floats(threads * count);
  std::fill_n(a.get(), threads * count, 0.0f);
  std::fill_n(b.get(), threads * count, 0.0f);
  const double seconds = shortest_seconds([&] {
    parallel_for(threads, 1, [&](int64_t, int64_t, int part) {
      const ThreadScope alone(1);
      float* sum = b.get() + part * count;
      for (int64_t r = 0; r < rounds; ++r) add(a.get() + part * count, sum, count, sum);
    });
  });
  return 3.0 * sizeof(float) * double(threads * count * rounds) / seconds * 1e-9;
}

}  // namespace edgeprune::simd
#endif
