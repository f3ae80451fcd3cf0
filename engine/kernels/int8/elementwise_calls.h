#pragma once
// What the loops of elementwise.cpp take.

#include <cstdint>

#include "engine/kernels/grid.h"

namespace edgeprune::int8 {

struct PoolCall {
  int64_t pixels, pixel;
  int32_t zero_sum;  ///< of so many pixels that stand for zero
  float multiplier;
  Grid output;
  const uint8_t* from;
  uint8_t* to;
};

struct AddCall {
  float a_multiplier, b_multiplier;
  int32_t a_zero, b_zero;
  const uint8_t *a, *b;
  Grid output;
  uint8_t* to;
};

struct ScaleCall {
  int64_t pixels, pixel;
  float multiplier;
  int32_t map_zero, factor_zero;
  const uint8_t *map, *factors;
  Grid output;
  uint8_t* to;
};

}  // namespace edgeprune::int8
