#pragma once
// Which units go: those of the smallest scores, up to the limits.

#include <cstdint>
#include <string>
#include <vector>

#include "pruning/method.h"

namespace edgeprune {

/// How many of `count` a fraction is: half to even, as Python's round() does in PyTorch's pruning.
/// Throws std::invalid_argument unless 0 <= fraction < 1.
int64_t share_of(double fraction, size_t count);

/// How many of `total` are to be zero (or gone) if `zeros` are so already. Throws
/// std::invalid_argument, calling them `what`, if that is fewer.
int64_t count_of(double fraction, Base base, int64_t total, int64_t zeros, const std::string& what);

/// The positions of the `count` smallest scores in any order; among equals the first ones go.
/// Scores of zero were pruned before and count. Throws std::invalid_argument, calling them `what`,
/// if a score is not finite or more than `count` are zero already.
std::vector<int64_t> smallest(const std::vector<double>& scores, int64_t count,
                              const std::string& what);

/// Of each Units the positions of those that go, what is zero already among them.
using Selection = std::vector<std::vector<int64_t>>;

/// The fraction of all units together, the smallest wherever they are; where limits hold some,
/// others go instead. Throws std::invalid_argument if limits leave too few.
Selection smallest_of_all(const std::vector<Units>& units, const Scores& scores, double fraction,
                          Base base, const PruneLimits& limits);
/// The fraction of each, or fewer by the limits.
Selection smallest_of_each(const std::vector<Units>& units, const Scores& scores, double fraction,
                           Base base, const PruneLimits& limits);

}  // namespace edgeprune
