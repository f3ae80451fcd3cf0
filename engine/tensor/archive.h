#pragma once
// Named arrays as files hold them: what the safetensors and .pth readers return.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "engine/base/names.h"
#include "engine/tensor/tensor.h"

namespace edgeprune {

enum class DType {
  f32,
  i64,
  u8,
  i8,
  f16,
  bf16,
  f64,
  i16,
  i32,
  u16,
  u32,
  u64,
  boolean,
  f8_e4m3,
  f8_e5m2
};

/// safetensors' names.
inline constexpr Named<DType> kDTypes[] = {
    {DType::f32, "F32"},      {DType::i64, "I64"},         {DType::u8, "U8"},
    {DType::i8, "I8"},        {DType::f16, "F16"},         {DType::bf16, "BF16"},
    {DType::f64, "F64"},      {DType::i16, "I16"},         {DType::i32, "I32"},
    {DType::u16, "U16"},      {DType::u32, "U32"},         {DType::u64, "U64"},
    {DType::boolean, "BOOL"}, {DType::f8_e4m3, "F8_E4M3"}, {DType::f8_e5m2, "F8_E5M2"}};
static_assert(in_order(kDTypes));
inline const char* to_string(DType dtype) {
  return name_of(kDTypes, dtype);
}

size_t size_of(DType dtype);  ///< bytes per element

/// A typed array: little-endian bytes in row-major order.
struct Array {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::byte> bytes;

  static Array from(const Tensor& tensor);
  static Array from(int64_t scalar);
  /// Throws std::invalid_argument naming `name` unless the array is F32 (I64 scalar, respectively).
  Tensor to_tensor(const std::string& name) const;
  int64_t to_int64(const std::string& name) const;
  /// What to_tensor() returns, into a tensor of that shape.
  void copy_to(Tensor& tensor, const std::string& name) const;
  /// Numbers of any floating type as F32, rounded to the nearest (a half fits exactly, a double
  /// beyond float's range becomes infinite); other types as they are.
  Array to_f32() const;
  /// Whole numbers of any type, and truth values, as I64 (an unsigned one beyond its range becomes
  /// negative); other types as they are.
  Array to_i64() const;
};

/// Arrays by name, free-form string metadata, and what people should know about how it was read.
struct Archive {
  std::map<std::string, Array> arrays = {};
  std::map<std::string, std::string> metadata = {};
  std::vector<std::string> notes = {};
  std::vector<std::string> other_files = {};  ///< paths of those that hold a part of it

  /// Throws std::invalid_argument if there is none of that name.
  const Array& at(const std::string& name) const;
};

}  // namespace edgeprune
