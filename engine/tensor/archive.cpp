#include "engine/tensor/archive.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

/// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
float from_half(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16, exponent = half >> 10 & 0x1f,
                 fraction = half & 0x3ff;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 0x1f ? 0xff : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// The upper half of a float32.
float from_bfloat(uint16_t upper) {
  return std::bit_cast<float>(uint32_t{upper} << 16);
}

float from_double(double value) {
  return static_cast<float>(value);
}

template <typename Stored>
Array converted(const Array& array, float (*to_float)(Stored)) {
  Tensor tensor(array.shape);
  const std::byte* from = array.bytes.data();
  for (float& value : tensor.values()) {
    Stored stored;
    std::memcpy(&stored, from, sizeof stored);
    from += sizeof stored;
    value = to_float(stored);
  }
  return Array::from(tensor);
}

}  // namespace

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::u8:
    case DType::i8:
      return 1;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::f32:
      return 4;
    case DType::i64:
    case DType::f64:
      return 8;
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
  require(dtype == DType::f32, "Array", "tensor '{}' is {} {}, expected F32", printable(name),
          edgeprune::to_string(dtype), shape.to_string());
  Tensor tensor(shape);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(tensor.data()));
  return tensor;
}

int64_t Array::to_int64(const std::string& name) const {
  require(dtype == DType::i64 && shape.count() == 1, "Array",
          "tensor '{}' is {} {}, expected one I64", printable(name), edgeprune::to_string(dtype),
          shape.to_string());
  int64_t scalar = 0;
  std::memcpy(&scalar, bytes.data(), sizeof scalar);
  return scalar;
}

Array Array::to_f32() const {
  switch (dtype) {
    case DType::f16:
      return converted<uint16_t>(*this, from_half);
    case DType::bf16:
      return converted<uint16_t>(*this, from_bfloat);
    case DType::f64:
      return converted<double>(*this, from_double);
    case DType::f32:
    case DType::i64:
    case DType::u8:
    case DType::i8:
      break;
  }
  return *this;
}

const Array& Archive::at(const std::string& name) const {
  const auto found = arrays.find(name);
  require(found != arrays.end(), "Archive", "there is no tensor '{}'", printable(name));
  return found->second;
}

}  // namespace edgeprune
