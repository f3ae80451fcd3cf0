#pragma once

#include <memory>
#include <span>

#include "engine/tensor/shape.h"

namespace edgeprune {

/// A dense row-major float32 tensor. Copies share the buffer (as in PyTorch); clone() makes a deep
/// one.
///
/// Activations are channels-last, [N,H,W,C] in memory and in Shape: a 1x1 convolution is then a
/// plain matrix product, and every other kernel runs vectors along the channels. Weights keep
/// torchvision's shape, [O,I,kH,kW].
class Tensor {
 public:
  Tensor() = default;            ///< no storage; defined() is false
  explicit Tensor(Shape shape);  ///< uninitialised
  Tensor(Shape shape, float fill);
  Tensor(Shape shape,
         std::span<const float> values);  ///< throws unless values.size() == shape.count()

  bool defined() const { return data_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t dim(size_t axis) const { return shape_[axis]; }
  int64_t count() const { return shape_.count(); }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::span<float> values() { return {data_.get(), static_cast<size_t>(count())}; }
  std::span<const float> values() const { return {data_.get(), static_cast<size_t>(count())}; }

  Tensor clone() const;
  /// The same buffer under another shape of the same count; throws std::invalid_argument otherwise.
  Tensor reshape(Shape shape) const;
  void fill(float value);
  /// Copies another tensor's values into this one's buffer; shapes must be equal.
  void copy_from(const Tensor& other);
  /// True if no other Tensor shares the buffer, so that writing to it surprises nobody.
  bool unique() const { return data_.use_count() == 1; }

 private:
  Shape shape_;
  std::shared_ptr<float[]> data_;
};

}  // namespace edgeprune
