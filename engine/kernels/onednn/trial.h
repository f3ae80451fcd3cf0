#pragma once
// oneDNN is held against the plain loops before its numbers are used, on the machine it runs on:
// which of its many implementations runs depends on the CPU, and not all of them are right. (The
// one by matrix products, which version 2.6 takes on ARM and on x86 before AVX2, reads the addend
// of a binary post-op as if it had one value a channel.)

#include <functional>
#include <string>
#include <vector>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::onednn {

/// Random arguments of a convolution that stands for those of the same kind: the same channels and
/// kernel, but at most two images and a small map, so that the plain loops take little time.
struct Trial {
  explicit Trial(const Conv2dShape& of);
  Conv2dShape shape;
  std::vector<float> input, weights, bias;
  std::vector<float> output;  ///< a residual or a gradient
};

using Computation = std::function<std::vector<float>(const Trial&)>;

/// Whether both compute the same numbers but for rounding. NaN agrees with nothing.
bool agree(const std::vector<float>& actual, const std::vector<float>& expected);

/// Whether they do for this kind of shape. Tried once in a process for each kind and `name`.
bool is_right(const std::string& name, const Conv2dShape& shape, const Computation& actual,
              const Computation& expected);

/// Throws std::runtime_error unless is_right().
void require_right(const std::string& name, const Conv2dShape& shape, const Computation& actual,
                   const Computation& expected);

}  // namespace edgeprune::onednn
