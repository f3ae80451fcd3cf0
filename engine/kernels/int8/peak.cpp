#include "engine/kernels/int8/peak.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/base/parallel.h"
#include "engine/base/timer.h"
#include "engine/kernels/int8/product.h"
#include "engine/kernels/int8/word_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/int8/peak.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/int8/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS

/// What sums get of as many bytes as there are in a vector, `fours` times.
template <Product kProduct>
struct Step {
  static constexpr int kFours = 1;
  static HWY_INLINE Ints add(Ints sums, Ints& bytes, Ints weights) {
    asm("" : "+x"(bytes));  // or the product would be taken once for all
    return Dot<kProduct>::add(sums, bytes, weights);
  }
};
/// The largest groups of word_sums.h.
template <>
struct Step<Product::pairs> {
  static constexpr int kFours = WordSums::kSizes[0];
  static HWY_INLINE Ints add(Ints sums, Ints& bytes, Ints weights) {
    Ints words = multiply_bytes(bytes, weights);
#pragma GCC unroll 4
    for (int i = 1; i < kFours; ++i) {
      asm("" : "+x"(bytes));
      words = wrap_words(words, multiply_bytes(bytes, weights));
    }
    asm("" : "+x"(bytes));
    return int8::HWY_NAMESPACE::add(sums, multiply_words(words, broadcast_word(1)));
  }
};

/// Independent sums: enough to hide the latency of a product and an addition.
template <Product kProduct>
double run_chains(int64_t rounds, void* sink) {
  constexpr int kChains = 10;
  Ints bytes = broadcast_byte(3), weights = broadcast_byte(1);
  Ints sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = broadcast(i);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 10
    for (int i = 0; i < kChains; ++i) sums[i] = Step<kProduct>::add(sums[i], bytes, weights);
  }
  for (int i = 1; i < kChains; ++i) sums[0] = add(sums[0], sums[i]);
  std::memcpy(sink, &sums[0], sizeof sums[0]);
  return 2.0 * 4 * kLanes * kChains * Step<kProduct>::kFours * static_cast<double>(rounds);
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
