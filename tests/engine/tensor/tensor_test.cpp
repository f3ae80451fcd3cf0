#include "engine/tensor/tensor.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <vector>

#include "tests/support/layouts.h"

namespace edgeprune {
namespace {

Tensor counting(const Shape& shape) {
  Tensor tensor(shape);
  std::iota(tensor.values().begin(), tensor.values().end(), 0.0f);
  return tensor;
}

std::vector<float> values_of(const Tensor& tensor) {
  return {tensor.values().begin(), tensor.values().end()};
}

TEST(Tensor, DefaultIsUndefined) {
  EXPECT_FALSE(Tensor().defined());
  EXPECT_TRUE(Tensor(Shape{}).defined());
  EXPECT_TRUE(Tensor(Shape{0}).defined());
}

TEST(Tensor, HoldsTheValuesGiven) {
  const Tensor tensor({2, 2}, std::vector<float>{1, 2, 3, 4});
  EXPECT_EQ(values_of(tensor), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values_of(Tensor({3}, 0.5f)), (std::vector<float>{0.5f, 0.5f, 0.5f}));
  EXPECT_THROW(Tensor({2, 2}, std::vector<float>{1, 2, 3}), std::invalid_argument);
}

TEST(Tensor, CopiesShareAndClonesDoNot) {
  Tensor tensor({2}, 1.0f);
  EXPECT_TRUE(tensor.unique());
  const Tensor copy = tensor;
  const Tensor clone = tensor.clone();
  EXPECT_FALSE(tensor.unique());
  EXPECT_TRUE(clone.unique());
  tensor.fill(2.0f);
  EXPECT_EQ(values_of(copy), (std::vector<float>{2, 2}));
  EXPECT_EQ(values_of(clone), (std::vector<float>{1, 1}));
}

TEST(Tensor, ReshapeSharesTheBufferAndKeepsTheCount) {
  const Tensor tensor = counting({2, 3});
  const Tensor flat = tensor.reshape({6});
  EXPECT_EQ(flat.data(), tensor.data());
  EXPECT_EQ(flat.shape(), (Shape{6}));
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_THROW(tensor.reshape({5}), std::invalid_argument);
}

TEST(Tensor, CopyFromNeedsTheSameShape) {
  Tensor tensor({2, 3});
  tensor.copy_from(counting({2, 3}));
  EXPECT_EQ(values_of(tensor), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_THROW(tensor.copy_from(counting({3, 2})), std::invalid_argument);
}

TEST(Tensor, ChannelsMoveLastAndBack) {
  const Tensor planar = counting({2, 3, 1, 2});  // n, c, h, w
  const Tensor interleaved = testing::nchw_to_nhwc(planar);
  EXPECT_EQ(interleaved.shape(), (Shape{2, 1, 2, 3}));
  EXPECT_EQ(values_of(interleaved), (std::vector<float>{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}));
  const Tensor back = testing::nhwc_to_nchw(interleaved);
  EXPECT_EQ(back.shape(), planar.shape());
  EXPECT_EQ(values_of(back), values_of(planar));
  EXPECT_THROW(testing::nchw_to_nhwc(counting({6})), std::invalid_argument);
  EXPECT_THROW(testing::nhwc_to_nchw(counting({2, 3})), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
