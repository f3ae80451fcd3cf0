#pragma once
// Random numbers that repeat on every machine. std::mt19937_64 is specified bit for bit;
// std::uniform_*_distribution and std::shuffle are not, hence the few lines below.

#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace edgeprune {

class Rng {
 public:
  /// Independent streams of one seed: what one stream draws does not depend on how much another
  /// drew.
  explicit Rng(uint64_t seed, uint64_t stream = 0, uint64_t substream = 0)
      : engine_(mix(mix(mix(seed) ^ stream) ^ substream)) {}

  uint64_t bits() { return engine_(); }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
  float uniform(float low, float high) {
    return low + static_cast<float>(uniform()) * (high - low);
  }
  /// Uniform in [0, bound), bound > 0. The bias of the multiply-shift is below 2^-32 for the bounds
  /// used here.
  uint64_t below(uint64_t bound) { return ((engine_() >> 32) * bound) >> 32; }
  /// Standard normal.
  float normal();

  /// splitmix64's finaliser: of consecutive numbers it makes unrelated ones. mix(key + i) is a
  /// random number by its index, which threads can draw in any order.
  static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  /// Fisher-Yates.
  template <typename T>
  void shuffle(std::span<T> items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace edgeprune
