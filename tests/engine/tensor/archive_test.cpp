#include "engine/tensor/archive.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

namespace edgeprune {
namespace {

TEST(DType, HasSafetensorsNamesAndSizes) {
  EXPECT_STREQ(to_string(DType::f32), "F32");
  EXPECT_STREQ(to_string(DType::i64), "I64");
  EXPECT_STREQ(to_string(DType::u8), "U8");
  EXPECT_EQ(size_of(DType::f32), 4u);
  EXPECT_EQ(size_of(DType::i64), 8u);
  EXPECT_EQ(size_of(DType::u8), 1u);
  EXPECT_STREQ(to_string(DType::f16), "F16");
  EXPECT_STREQ(to_string(DType::bf16), "BF16");
  EXPECT_STREQ(to_string(DType::f64), "F64");
  EXPECT_EQ(size_of(DType::f16), 2u);
  EXPECT_EQ(size_of(DType::bf16), 2u);
  EXPECT_EQ(size_of(DType::f64), 8u);
}

/// Little-endian numbers as an array of that type.
template <typename Stored>
Array array_of(DType dtype, const std::vector<Stored>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {dtype, Shape{static_cast<int64_t>(values.size())}, {bytes.begin(), bytes.end()}};
}

std::vector<float> floats(const Array& array) {
  const Tensor tensor = array.to_f32().to_tensor("x");
  return {tensor.values().begin(), tensor.values().end()};
}

TEST(Array, HalvesBecomeFloatsExactly) {
  // Bits and values as IEEE 754 has them: one, the largest, the smallest normal, the largest and
  // the smallest subnormal, zeros of both signs, infinities.
  const std::vector<uint16_t> bits = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff,
                                      0x0001, 0x8001, 0x0000, 0x7c00, 0xfc00};
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(floats(array_of(DType::f16, bits)),
            (std::vector<float>{1, -2, 65504, 0x1p-14f, 1023 * 0x1p-24f, 0x1p-24f, -0x1p-24f, 0,
                                kInfinity, -kInfinity}));
  EXPECT_TRUE(std::signbit(floats(array_of<uint16_t>(DType::f16, {0x8000}))[0]));
  EXPECT_TRUE(std::isnan(floats(array_of<uint16_t>(DType::f16, {0x7e00}))[0]));
}

TEST(Array, BfloatsAndDoublesBecomeFloats) {
  EXPECT_EQ(floats(array_of<uint16_t>(DType::bf16, {0x3f80, 0xc000, 0x0000})),
            (std::vector<float>{1, -2, 0}));
  EXPECT_TRUE(std::isnan(floats(array_of<uint16_t>(DType::bf16, {0x7fc0}))[0]));
  EXPECT_EQ(floats(array_of<double>(DType::f64, {0.1, -1e300})),
            (std::vector<float>{0.1f, -std::numeric_limits<float>::infinity()}));
  const Array integer = Array::from(int64_t{3});
  EXPECT_EQ(integer.to_f32().dtype, DType::i64);
}

TEST(Array, BytesOfFloatBecomeFloats) {
  // The largest of each, the smallest, one, and what is no number.
  EXPECT_EQ(floats(array_of<uint8_t>(DType::f8_e4m3, {0x7e, 0x01, 0x08, 0x38, 0xc1, 0x80})),
            (std::vector<float>{448, 0x1p-9f, 0x1p-6f, 1, -2.25f, 0}));
  EXPECT_TRUE(std::isnan(floats(array_of<uint8_t>(DType::f8_e4m3, {0xff}))[0]));
  EXPECT_EQ(floats(array_of<uint8_t>(DType::f8_e5m2, {0x7b, 0x01, 0x3c, 0xc1})),
            (std::vector<float>{57344, 0x1p-16f, 1, -2.5f}));
}

TEST(Array, WholeNumbersOfAnyTypeBecomeLong) {
  const auto first = [](const Array& array) {
    const Array wide = array.to_i64();
    EXPECT_EQ(wide.dtype, DType::i64);
    return wide.to_int64("x");
  };
  EXPECT_EQ(first(array_of<int8_t>(DType::i8, {-3})), -3);
  EXPECT_EQ(first(array_of<uint8_t>(DType::u8, {0xfd})), 253);
  EXPECT_EQ(first(array_of<uint8_t>(DType::boolean, {1})), 1);
  EXPECT_EQ(first(array_of<int16_t>(DType::i16, {-300})), -300);
  EXPECT_EQ(first(array_of<uint16_t>(DType::u16, {65535})), 65535);
  EXPECT_EQ(first(array_of<int32_t>(DType::i32, {-70'000})), -70'000);
  EXPECT_EQ(first(array_of<uint32_t>(DType::u32, {4'000'000'000})), 4'000'000'000);
  EXPECT_EQ(first(array_of<uint64_t>(DType::u64, {5'000'000'000})), 5'000'000'000);
  EXPECT_EQ(array_of<float>(DType::f32, {1}).to_i64().dtype, DType::f32);
}

TEST(Array, TensorSurvivesTheRoundTrip) {
  for (const Shape& shape : {Shape{2, 3}, Shape{}, Shape{0, 3}}) {
    const Tensor tensor(shape, 1.5f);
    const Array array = Array::from(tensor);
    EXPECT_EQ(array.dtype, DType::f32);
    EXPECT_EQ(array.bytes.size(), static_cast<size_t>(shape.count()) * 4);
    const Tensor back = array.to_tensor("x");
    EXPECT_EQ(back.shape(), shape);
    EXPECT_TRUE(std::equal(back.values().begin(), back.values().end(), tensor.values().begin()));
  }
}

TEST(Array, IntegerSurvivesTheRoundTrip) {
  const Array array = Array::from(int64_t{-5'000'000'000});
  EXPECT_EQ(array.dtype, DType::i64);
  EXPECT_EQ(array.shape, Shape{});
  EXPECT_EQ(array.to_int64("x"), -5'000'000'000);
}

TEST(Array, WrongTypeIsRejectedByName) {
  const Array integer = Array::from(int64_t{1});
  const Array pair = Array::from(Tensor({2}, 0.0f));
  EXPECT_THROW(pair.to_int64("x"), std::invalid_argument);
  EXPECT_THROW((Array{DType::i64, Shape{2}, std::vector<std::byte>(16)}.to_int64("x")),
               std::invalid_argument);
  try {
    integer.to_tensor("bn.count");
    FAIL() << "expected std::invalid_argument";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[Array] tensor 'bn.count' is I64 [], expected F32");
  }
}

TEST(Archive, FindsByNameOrThrowsTheName) {
  Archive archive;
  archive.arrays["a"] = Array::from(int64_t{3});
  EXPECT_EQ(archive.at("a").to_int64("a"), 3);
  try {
    archive.at("missing.weight");
    FAIL() << "expected std::invalid_argument";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'missing.weight'"), std::string::npos);
  }
}

}  // namespace
}  // namespace edgeprune
