#include "engine/tensor/shape.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/check.h"

namespace edgeprune {

Shape::Shape(std::span<const int64_t> dims) : rank_(dims.size()) {
  require(rank_ <= kMaxRank, "Shape", "at most {} dimensions, got {}: [{}]", kMaxRank, rank_,
          fmt::join(dims.first(std::min(rank_, 2 * kMaxRank)), ","));
  std::copy(dims.begin(), dims.end(), dims_.begin());
  for (const int64_t dim : dims) {
    require(dim >= 0 && !__builtin_mul_overflow(count_, dim, &count_), "Shape",
            "dimensions {} are negative or too large", *this);
  }
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(dims(), ","));
}

}  // namespace edgeprune
