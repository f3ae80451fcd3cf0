#include "engine/tensor/archive.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

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

/// E5M2 is the upper half of a half.
float from_e5m2(uint8_t upper) {
  return from_half(static_cast<uint16_t>(upper << 8));
}

/// E4M3: 1 bit of sign, 4 of exponent, 3 of fraction; no infinity, and NaN where all bits are set.
float from_e4m3(uint8_t bits) {
  const int exponent = bits >> 3 & 0xf, fraction = bits & 7;
  float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                                  : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  if ((bits & 0x7f) == 0x7f) magnitude = std::numeric_limits<float>::quiet_NaN();
  return (bits & 0x80) != 0 ? -magnitude : magnitude;
}

template <typename Stored>
int64_t to_integer(Stored value) {
  return static_cast<int64_t>(value);
}

/// Each element as an `Element`, of which the array has the type `dtype`.
template <typename Element, typename Stored>
Array converted(const Array& array, DType dtype, Element (*convert)(Stored)) {
  Array result{dtype, array.shape, {}};
  const size_t count = array.bytes.size() / sizeof(Stored);
  result.bytes.resize(count * sizeof(Element));
  for (size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, array.bytes.data() + i * sizeof stored, sizeof stored);
    const Element value = convert(stored);
    std::memcpy(result.bytes.data() + i * sizeof value, &value, sizeof value);
  }
  return result;
}

}  // namespace

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::u8:
    case DType::i8:
    case DType::boolean:
    case DType::f8_e4m3:
    case DType::f8_e5m2:
      return 1;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return 4;
    case DType::i64:
    case DType::u64:
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

void Array::copy_to(Tensor& tensor, const std::string& name) const {
  require(dtype == DType::f32 && shape == tensor.shape(), "Array",
          "tensor '{}' is {} {}, expected F32 {}", printable(name), edgeprune::to_string(dtype),
          shape.to_string(), tensor.shape().to_string());
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(tensor.data()));
}

Tensor Array::to_tensor(const std::string& name) const {
  require(dtype == DType::f32, "Array", "tensor '{}' is {} {}, expected F32", printable(name),
          edgeprune::to_string(dtype), shape.to_string());
  Tensor tensor(shape);
  copy_to(tensor, name);
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
      return converted(*this, DType::f32, from_half);
    case DType::bf16:
      return converted(*this, DType::f32, from_bfloat);
    case DType::f64:
      return converted(*this, DType::f32, from_double);
    case DType::f8_e4m3:
      return converted(*this, DType::f32, from_e4m3);
    case DType::f8_e5m2:
      return converted(*this, DType::f32, from_e5m2);
    case DType::f32:
    case DType::i64:
    case DType::u8:
    case DType::i8:
    case DType::i16:
    case DType::i32:
    case DType::u16:
    case DType::u32:
    case DType::u64:
    case DType::boolean:
      break;
  }
  return *this;
}

Array Array::to_i64() const {
  switch (dtype) {
    case DType::u8:
    case DType::boolean:
      return converted(*this, DType::i64, to_integer<uint8_t>);
    case DType::i8:
      return converted(*this, DType::i64, to_integer<int8_t>);
    case DType::i16:
      return converted(*this, DType::i64, to_integer<int16_t>);
    case DType::i32:
      return converted(*this, DType::i64, to_integer<int32_t>);
    case DType::u16:
      return converted(*this, DType::i64, to_integer<uint16_t>);
    case DType::u32:
      return converted(*this, DType::i64, to_integer<uint32_t>);
    case DType::u64:
      return converted(*this, DType::i64, to_integer<uint64_t>);
    case DType::f16:
    case DType::bf16:
    case DType::f32:
    case DType::f64:
    case DType::f8_e4m3:
    case DType::f8_e5m2:
    case DType::i64:
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
