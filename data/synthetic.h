#pragma once

#include "data/dataset.h"

namespace edgeprune {

inline constexpr int64_t kMostSyntheticImages = 1'000'000;

/// A built-in stand-in for CIFAR-10, for machines without data: ten classes of 32x32 images (disc,
/// ring, square, triangle, cross, three kinds of stripes, checkerboard, gradient) in random place,
/// size, tilt and colours, light on dark or dark on light, with noise. Image i is of class i mod 10
/// and a function of (seed, split, i) only. Throws std::invalid_argument unless 1 <= images <=
/// kMostSyntheticImages.
Dataset synthetic(int64_t images, Split split, uint64_t seed);

}  // namespace edgeprune
