#pragma once

#include <fmt/format.h>
#include <cstdint>
#include <initializer_list>

#include <string>
#include <vector>

namespace edgeprune {

/// Dimensions in memory order, the last one contiguous. A scalar has none.
class Shape {
 public:
  Shape() = default;
  /// Throws std::invalid_argument on a negative dimension or a product beyond int64.
  Shape(std::initializer_list<int64_t> dims) : Shape(std::vector<int64_t>(dims)) {}
  explicit Shape(std::vector<int64_t> dims);

  size_t rank() const { return dims_.size(); }
  int64_t operator[](size_t axis) const { return dims_[axis]; }
  int64_t back() const { return dims_.back(); }
  int64_t count() const { return count_; }
  const std::vector<int64_t>& dims() const { return dims_; }
  bool operator==(const Shape& other) const { return dims_ == other.dims_; }

  std::string to_string() const;  ///< "[8,16,16,24]"

 private:
  std::vector<int64_t> dims_;
  int64_t count_ = 1;
};

}  // namespace edgeprune

/// Messages take shapes as they are: text is made of them only when it is needed.
template <>
struct fmt::formatter<edgeprune::Shape> : fmt::formatter<std::string> {
  auto format(const edgeprune::Shape& shape, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(shape.to_string(), context);
  }
};
