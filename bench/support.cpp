#include "bench/support.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/profiler.h"
#include "engine/base/random.h"
#include "engine/kernels/int8/dot_products.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/onednn/waiting.h"
#include "engine/kernels/simd/target.h"

namespace edgeprune::bench {
namespace {

bool answers_right = true;

void run_case(benchmark::State& state, const Work& work, bool& checked) {
  const ThreadScope threads(work.threads > 0 ? work.threads : thread_count());
  work.run();  // makes primitives and touches fresh pages outside the time
  if (!checked) {
    const double error = work.error();
    if (!(error <= work.tolerance)) {
      answers_right = false;
      const std::string message =
          fmt::format("wrong answer: error {:.2e}, tolerance {:.0e}", error, work.tolerance);
      state.SkipWithError(message.c_str());
      return;
    }
    checked = true;
  }
  const size_t fresh = buffer_stats().fresh;
  Profiler profiler;
  {
    std::optional<ProfilerScope> profiling;
    if (work.profile) profiling.emplace(profiler);
    for ([[maybe_unused]] const auto iteration : state) work.run();
  }
  for (const auto& [key, entry] : profiler.entries()) {
    const char* phase = name_of(kPhases, key.second);
    state.counters[fmt::format("{} {} ms", key.first, phase)] =
        benchmark::Counter(1e3 * entry.seconds, benchmark::Counter::kAvgIterations);
  }
  if (work.count_fresh_blocks) {
    state.counters["fresh_blocks"] = benchmark::Counter(
        static_cast<double>(buffer_stats().fresh - fresh), benchmark::Counter::kAvgIterations);
  }
  state.counters.insert(work.counters.begin(), work.counters.end());
}

}  // namespace

void add(const std::string& name, std::function<Work()> make) {
  benchmark::RegisterBenchmark(
      name.c_str(), [make = std::move(make), checked = false](
                        benchmark::State& state) mutable { run_case(state, make(), checked); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

benchmark::Counter rate(double amount) {
  return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
}

Tensor random_tensor(Shape shape, uint64_t seed) {
  Tensor tensor(std::move(shape));
  Rng rng(seed);
  for (float& value : tensor.values()) value = rng.uniform(-1.0f, 1.0f);
  return tensor;
}

double relative_error(const Tensor& actual, const Tensor& expected) {
  require(actual.shape() == expected.shape(), "relative_error", "expected shape {}, got {}",
          expected.shape().to_string(), actual.shape().to_string());
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double error = std::abs(double(actual.data()[i]) - expected.data()[i]);
    if (std::isnan(error)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, error);
    largest = std::max(largest, std::abs(double(expected.data()[i])));
  }
  return worst == 0 ? 0 : worst / largest;
}

}  // namespace edgeprune::bench

int main(int argc, char** argv) try {
  using namespace edgeprune;
  onednn::wait_briefly();
  // In front of the caller's, which therefore win.
  std::string defaults[] = {"--benchmark_repetitions=5", "--benchmark_min_time=0.1",
                            "--benchmark_enable_random_interleaving=true",
                            "--benchmark_report_aggregates_only=true",
                            "--benchmark_counters_tabular=true"};
  std::vector<char*> arguments{argv[0]};
  for (std::string& option : defaults) arguments.push_back(option.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  arguments.push_back(nullptr);
  int count = static_cast<int>(arguments.size()) - 1;

  simd::pin_target_from_environment();
  int8::allow_dot_products_by_environment();
  bench::register_benchmarks();
  benchmark::AddCustomContext("threads", std::to_string(thread_count()));
  benchmark::AddCustomContext("simd", simd::target_description());
  benchmark::AddCustomContext("onednn", onednn::version());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  const size_t matched = benchmark::RunSpecifiedBenchmarks();
  return matched > 0 && bench::answers_right ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  return 1;
}
