#include "engine/tensor/archive.h"

#include <algorithm>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune {

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 4;
    case DType::i64:
      return 8;
    case DType::u8:
      return 1;
  }
  return 0;
}

Array Array::from(const Tensor& tensor) {
  Array array{DType::f32, tensor.shape(), {}};
  array.bytes.resize(static_cast<size_t>(tensor.count()) * sizeof(float));
  const auto* from = reinterpret_cast<const std::byte*>(tensor.data());
  std::copy_n(from, array.bytes.size(), array.bytes.begin());
  return array;
}

Array Array::from(int64_t scalar) {
  Array array{DType::i64, Shape{}, std::vector<std::byte>(sizeof scalar)};
  std::memcpy(array.bytes.data(), &scalar, sizeof scalar);
  return array;
}

Tensor Array::to_tensor(const std::string& name) const {
  require(dtype == DType::f32, "Array", "tensor '{}' is {} {}, expected F32", name,
          edgeprune::to_string(dtype), shape.to_string());
  Tensor tensor(shape);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(tensor.data()));
  return tensor;
}

int64_t Array::to_int64(const std::string& name) const {
  require(dtype == DType::i64 && shape.count() == 1, "Array",
          "tensor '{}' is {} {}, expected one I64", name, edgeprune::to_string(dtype),
          shape.to_string());
  int64_t scalar = 0;
  std::memcpy(&scalar, bytes.data(), sizeof scalar);
  return scalar;
}

const Array& Archive::at(const std::string& name) const {
  const auto found = arrays.find(name);
  require(found != arrays.end(), "Archive", "there is no tensor '{}'", printable(name));
  return found->second;
}

}  // namespace edgeprune
