#include "engine/tensor/shape.h"

#include <fmt/ranges.h>

#include "engine/base/check.h"

namespace edgeprune {

Shape::Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {
  for (const int64_t dim : dims_) {
    require(dim >= 0 && !__builtin_mul_overflow(count_, dim, &count_), "Shape",
            "dimensions {} are negative or too large", to_string());
  }
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(dims_, ","));
}

}  // namespace edgeprune
