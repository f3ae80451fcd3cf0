#include "engine/tensor/tensor.h"

#include <algorithm>

#include "engine/base/buffer.h"
#include "engine/base/check.h"

namespace edgeprune {

Tensor::Tensor(Shape shape)
    : shape_(std::move(shape)), data_(allocate_floats(static_cast<size_t>(shape_.count()))) {}

Tensor::Tensor(Shape shape, float value) : Tensor(std::move(shape)) {
  fill(value);
}

Tensor::Tensor(Shape shape, std::span<const float> values) : Tensor(std::move(shape)) {
  require(static_cast<int64_t>(values.size()) == count(), "Tensor",
          "shape {} needs {} values, got {}", shape_.to_string(), count(), values.size());
  std::copy(values.begin(), values.end(), data());
}

Tensor Tensor::clone() const {
  Tensor copy(shape_);
  std::copy_n(data(), count(), copy.data());
  return copy;
}

Tensor Tensor::reshape(Shape shape) const {
  require(shape.count() == count(), "reshape", "{} holds {} values, {} would hold {}",
          shape_.to_string(), count(), shape.to_string(), shape.count());
  Tensor view = *this;
  view.shape_ = std::move(shape);
  return view;
}

void Tensor::fill(float value) {
  std::fill_n(data(), count(), value);
}

void Tensor::copy_from(const Tensor& other) {
  require(shape_ == other.shape_, "copy_from", "expected {}, got {}", shape_.to_string(),
          other.shape_.to_string());
  std::copy_n(other.data(), count(), data());
}

}  // namespace edgeprune
