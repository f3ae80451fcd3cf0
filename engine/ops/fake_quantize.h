#pragma once
// Quantisation as training sees it: numbers are rounded to those that 8 bits can stand for, and stay
// floats. Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference".

#include <span>

#include "engine/autograd/variable.h"
#include "engine/kernels/grid.h"

namespace edgeprune::ops {

/// activation(input), each value's nearest one on the grid, any shape. The gradient passes where the value lies within the
/// grid's range, as if nothing had been rounded, and is zero outside (the straight-through estimator,
/// Bengio et al. 2013).
Variable fake_quantize(const Variable& input, const Grid& grid,
                       Activation activation = Activation::none);

/// weight [O, ...] with a scale for each of the O outputs: row o comes to lie on scales[o] * q, q a whole
/// number from -highest to highest. The gradient passes everywhere: scales are taken from the weights, so
/// that none lies outside. Throws std::invalid_argument unless there are O scales.
Variable fake_quantize_rows(const Variable& weight, std::span<const float> scales, int highest);

}  // namespace edgeprune::ops
