#include "engine/kernels/int8/peak.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/base/parallel.h"
#include "engine/base/timer.h"
#include "engine/kernels/int8/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/int8/peak.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/int8/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS

/// Independent sums: enough to hide the latency of a product and an addition.
template <Product kProduct>
double run_chains(int64_t rounds, void* sink) {
  constexpr int kChains = 10;
  using D = Dot<kProduct>;
  Ints bytes = broadcast_byte(3), weights = broadcast_byte(1);
  Ints sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = broadcast(i);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 10
    for (int i = 0; i < kChains; ++i) {
      asm("" : "+x"(bytes));  // or the product would be taken once for all
      sums[i] = D::add(sums[i], D::bytes(bytes), D::weights(weights));
    }
  }
  for (int i = 1; i < kChains; ++i) sums[0] = add(sums[0], sums[i]);
  std::memcpy(sink, &sums[0], sizeof sums[0]);
  return 2.0 * 4 * kLanes * kChains * static_cast<double>(rounds);
}

double byte_chains(Product product, int64_t rounds, void* sink) {
  return product == Product::instruction ? run_chains<Product::instruction>(rounds, sink)
                                         : run_chains<Product::pairs>(rounds, sink);
}

#else

double byte_chains(Product, int64_t, void*) {
  return 0;
}

#endif

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::int8 {

HWY_EXPORT(byte_chains);

const char* fastest_product() {
  return name_of(product_for(0));
}

double peak_gops() {
  constexpr int64_t kRounds = 1'000'000;
  constexpr int kRepeats = 7;  // the best of them: a limit is what the machine does undisturbed
  const Product product = product_for(0);
  const auto threads = static_cast<size_t>(thread_count());
  std::vector<char> sinks(threads * 128);
  std::vector<double> operations(threads);
  double best = 0;
  for (int i = 0; i < kRepeats; ++i) {
    const Stopwatch watch;
    parallel_for(static_cast<int64_t>(threads), 1, [&](int64_t, int64_t, int part) {
      const auto at = static_cast<size_t>(part);
      operations[at] = HWY_DYNAMIC_DISPATCH(byte_chains)(product, kRounds, &sinks[at * 128]);
    });
    double all = 0;
    for (const double each : operations) all += each;
    best = std::max(best, 1e-9 * all / watch.seconds());
  }
  return best;
}

}  // namespace edgeprune::int8
#endif
