#include "engine/tensor/archive.h"

#include <gtest/gtest.h>

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
