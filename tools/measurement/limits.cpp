#include "tools/measurement/limits.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "engine/base/parallel.h"
#include "engine/kernels/int8/peak.h"
#include "engine/kernels/simd/roofline.h"
#include "tools/measurement/kernel_cache.h"

namespace edgeprune {
namespace {

constexpr const char *kArithmetic = "arithmetic", *kIntegers = "integer arithmetic";

/// What integers' rates are kept under: those of other ways to multiply are other limits.
std::string integers_key() {
  return fmt::format("{} ({})", kIntegers, int8::fastest_product());
}

Limits measure_limits(int threads) {
  const ThreadScope scope(threads);
  Limits limits{.gflops = simd::peak_gflops(), .integer_gflops = int8::peak_gops(), .stores = {}};
  double inner = 0;
  for (const auto& [name, key] :
       {std::pair("L1", _SC_LEVEL1_DCACHE_SIZE), std::pair("L2", _SC_LEVEL2_CACHE_SIZE),
        std::pair("L3", _SC_LEVEL3_CACHE_SIZE)}) {
    const auto bytes = static_cast<double>(::sysconf(key));  // 0 or -1: there is none, or who knows
    if (bytes <= inner) continue;
    // Well inside this cache, well beyond the one before.
    const double measured = std::min(bytes / 4, 4 * std::max(inner, bytes / 16));
    limits.stores.push_back({name, bytes, simd::cache_bandwidth(std::llround(measured))});
    inner = bytes;
  }
  limits.stores.push_back(
      {"memory", std::numeric_limits<double>::infinity(), simd::memory_bandwidth()});
  return limits;
}

const Limits& measured_once(int threads) {
  static std::map<int, Limits> measured;
  const auto known = measured.find(threads);
  return known != measured.end() ? known->second
                                 : measured.emplace(threads, measure_limits(threads)).first->second;
}

/// The best rate that is known, raised to `rate` if that is better.
double best_rate(const std::string& name, int threads, double rate) {
  double& best =
      best_rates()[fmt::format("{}, {} thread{}", name, threads, threads == 1 ? "" : "s")];
  best = std::max(best, rate);
  return best;
}

/// The nearest one that so many bytes fit in.
const Limits::Store& store_of(double bytes, const Limits& limits) {
  return *std::find_if(limits.stores.begin(), limits.stores.end(),
                       [=](const Limits::Store& store) { return bytes <= store.bytes; });
}

}  // namespace

Limits best_limits(int threads) {
  Limits limits = measured_once(threads);
  limits.gflops = best_rate(kArithmetic, threads, limits.gflops);
  limits.integer_gflops =
      best_rate(integers_key(), threads, std::max(limits.gflops, limits.integer_gflops));
  for (Limits::Store& store : limits.stores) store.gbs = best_rate(store.name, threads, store.gbs);
  return limits;
}

void raise_limits(const LayerTime& time, int threads) {
  if (!(time.ms > 0)) return;
  best_rate(time.integers ? integers_key() : kArithmetic, threads,
            1e-6 * time.kernel_flops / time.ms);
  const std::string& store = store_of(time.bytes, measured_once(threads)).name;
  best_rate(store, threads, 1e-6 * time.bytes / time.ms);
  best_rate(store_of(time.all_weights, measured_once(threads)).name, threads,
            1e-6 * time.weight_share / time.ms);
}

LayerLimit limit_of(const LayerTime& time, const Limits& limits) {
  if (time.kernel_flops == 0 && time.bytes == 0) return {};
  const Limits::Store& store = store_of(time.bytes, limits);
  const double peak = time.integers ? limits.integer_gflops : limits.gflops;
  const double arithmetic = 1e-6 * time.kernel_flops / peak;
  const double traffic = 1e-6 * time.bytes / store.gbs;
  const Limits::Store& weights = store_of(time.all_weights, limits);
  const double fetching = 1e-6 * time.weight_share / weights.gbs;
  if (arithmetic >= std::max(traffic, fetching)) return {arithmetic, kArithmetic};
  if (traffic >= fetching) return {traffic, store.name};
  return {fetching, "weights from " + weights.name};
}

}  // namespace edgeprune
