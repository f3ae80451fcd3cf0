#pragma once
// How four products of bytes are summed, and which way is exact for given weights.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/base/check.h"
#include "engine/kernels/int8/dot_products.h"

namespace edgeprune::int8 {

enum class Product {
  instruction,  ///< vpdpbusd or sdot: four products to 32 bits
  pairs,  ///< pmaddubsw: two products to 16 bits, which saturate; then two such sums to 32 bits
  words,  ///< bytes are widened first: nothing saturates, a third slower
  signs,  ///< pairs of weights' sizes and of inputs whose signs are flipped (word_sums.h)
};

constexpr const char* name_of(Product product) {
#if defined(__aarch64__)
  constexpr const char* kInstruction = "sdot";
#else
  constexpr const char* kInstruction = "vnni";
#endif
  constexpr const char* kNames[] = {kInstruction, "pairs", "words", "signs"};
  return kNames[static_cast<int>(product)];
}

/// Of kernels for the target in use. `pair`: the most that |q w + q' w'| can be, of the products that
/// one pmaddubsw sums.
inline Product product_for(int64_t pair) {
  if (uses_dot_products()) return Product::instruction;
  return pair <= INT16_MAX ? Product::pairs : Product::words;
}

/// The most that weights of one sign, times `highest`, make of a sum in which any inputs may be zero.
inline int64_t largest_sum(const int8_t* weights, int64_t count, int64_t highest) {
  int64_t positive = 0, negative = 0;
  for (int64_t i = 0; i < count; ++i) (weights[i] > 0 ? positive : negative) += weights[i];
  return highest * std::max(positive, -negative);
}

/// Throws std::invalid_argument unless bias and sum fit 32 bits, and so does what is requantised.
inline void require_no_overflow(const char* where, int64_t row, int64_t sum, int32_t bias,
                                float multiplier) {
  const double most = double(sum) + std::abs(double(bias));
  require(most <= INT32_MAX && most * double(multiplier) <= INT32_MAX, where,
          "the sums of output {} can overflow: {} of products, a bias of {}, times {}", row, sum,
          bias, multiplier);
}

}  // namespace edgeprune::int8
