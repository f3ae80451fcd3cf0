#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace edgeprune {

/// Dimensions in memory order, the last one contiguous. A scalar has none. Without memory of its
/// own: a training step copies thousands.
class Shape {
 public:
  static constexpr size_t kMaxRank = 8;

  Shape() = default;
  /// Throws std::invalid_argument on more than kMaxRank dimensions, a negative one or a product
  /// beyond int64.
  explicit Shape(std::span<const int64_t> dims);
  explicit Shape(const std::vector<int64_t>& dims) : Shape(std::span(dims)) {}
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}

  size_t rank() const { return rank_; }
  int64_t operator[](size_t axis) const { return dims_[axis]; }
  int64_t back() const { return dims_[rank_ - 1]; }
  int64_t count() const { return count_; }
  std::span<const int64_t> dims() const { return {dims_.data(), rank_}; }
  bool operator==(const Shape& other) const = default;

  std::string to_string() const;  ///< "[8,16,16,24]"

 private:
  std::array<int64_t, kMaxRank> dims_{};  ///< zeros from rank_ on
  size_t rank_ = 0;
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
