// What this machine can do at most, on one thread and on all: the limits that `edgeprune train
// --profile` holds every family of operations against (engine/kernels/simd/roofline.h).
//
// GFLOP/s and GB/s are the figures. The time is only that of taking them: each is the best of a few
// runs already, and the median over the repetitions is the one to quote. There is no answer to
// check.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "bench/support.h"
#include "engine/base/parallel.h"
#include "engine/kernels/simd/roofline.h"

namespace edgeprune::bench {
namespace {

void add_limit(const std::string& name, int threads, const char* unit, double (*measure)()) {
  benchmark::RegisterBenchmark(fmt::format("{}/threads:{}", name, threads).c_str(),
                               [=](benchmark::State& state) {
                                 const ThreadScope scope(threads);
                                 double best = 0;
                                 for ([[maybe_unused]] const auto iteration : state) {
                                   best = std::max(best, measure());
                                 }
                                 state.counters[unit] = best;
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

void register_benchmarks() {
  for (const int threads : std::set<int>{1, thread_count()}) {
    add_limit("arithmetic_peak", threads, "GFLOP/s", simd::peak_gflops);
    add_limit("memory_bandwidth", threads, "GB/s", simd::memory_bandwidth);
    add_limit("cache_bandwidth/256KB", threads, "GB/s",
              [] { return simd::cache_bandwidth(256 << 10); });
  }
}

}  // namespace edgeprune::bench
