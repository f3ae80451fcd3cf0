#include "engine/kernels/simd/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/parallel.h"
#include "tests/support/page_end.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::random_tensor;
using testing::values_of;

constexpr int64_t kElementCounts[] = {0,  1,  3,   15,
                                      16, 17, 100, 40000};  // the last is shared by threads

class SimdElementwise : public testing::OnEveryTarget {};

TEST_P(SimdElementwise, AddAlsoInPlace) {
  for (const int64_t count : kElementCounts) {
    const Tensor a = random_tensor({count}, 1), b = random_tensor({count}, 2);
    std::vector<float> expected(static_cast<size_t>(count));
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = a.data()[i] + b.data()[i];
    Tensor sum({count}, -1.0f), left = a.clone(), right = b.clone();
    simd::add(a.data(), b.data(), count, sum.data());
    simd::add(left.data(), b.data(), count, left.data());
    simd::add(a.data(), right.data(), count, right.data());
    EXPECT_EQ(values_of(sum), expected);
    EXPECT_EQ(values_of(left), expected);
    EXPECT_EQ(values_of(right), expected);
  }
}

// Not even as they were: another thread may be at work there.
TEST_P(SimdElementwise, NothingBehindTheEndIsReadOrWritten) {
  const testing::PageEnd a, b, sum;
  for (int64_t count = 1; count < 40; ++count) {
    for (int64_t i = 0; i < count; ++i) {
      a.last(count)[i] = static_cast<float>(i);
      b.last(count)[i] = 0.5f;
    }
    simd::add(a.last(count), b.last(count), count, sum.last(count));
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(sum.last(count)[i], static_cast<float>(i) + 0.5f) << count;
    }
  }
}

TEST_P(SimdElementwise, Relu6ClipsAtZeroAndSix) {
  for (const int64_t count : kElementCounts) {
    const Tensor x = random_tensor({count}, 1, -10, 10), g = random_tensor({count}, 2);
    Tensor y({count}, -1.0f), grad({count}, -1.0f);
    simd::relu6_forward(x.data(), count, y.data());
    simd::relu6_backward(x.data(), g.data(), count, grad.data());
    for (int64_t i = 0; i < count; ++i) {
      const float xi = x.data()[i];
      ASSERT_EQ(y.data()[i], std::min(std::max(xi, 0.0f), 6.0f));
      ASSERT_EQ(grad.data()[i], xi > 0 && xi < 6 ? g.data()[i] : 0.0f);
    }
  }
}

TEST_P(SimdElementwise, Relu6PassesNoGradientAtItsCorners) {
  const std::vector<float> x{0.0f, -0.0f, 6.0f, std::nextafter(0.0f, 1.0f),
                             std::nextafter(6.0f, 0.0f)};
  const std::vector<float> g(x.size(), 2.0f);
  std::vector<float> grad(x.size());
  simd::relu6_backward(x.data(), g.data(), static_cast<int64_t>(x.size()), grad.data());
  EXPECT_EQ(grad, (std::vector<float>{0, 0, 0, 2, 2}));
}

TEST_P(SimdElementwise, WritesNothingBehindTheEnd) {
  for (const int64_t count : {1, 7, 17}) {
    const Tensor a = random_tensor({count}, 1);
    Tensor output({count + 16}, 99.0f);
    simd::relu6_forward(a.data(), count, output.data());
    for (int64_t i = count; i < output.count(); ++i) EXPECT_EQ(output.data()[i], 99.0f);
  }
}

TEST_P(SimdElementwise, DoesNotDependOnTheThreadCount) {
  const Tensor a = random_tensor({100001}, 1), b = random_tensor({100001}, 2);
  Tensor one(a.shape()), two(a.shape());
  {
    const ThreadScope scope(1);
    simd::add(a.data(), b.data(), a.count(), one.data());
  }
  const ThreadScope scope(2);
  simd::add(a.data(), b.data(), a.count(), two.data());
  EXPECT_TRUE(testing::identical(one, two));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdElementwise);

}  // namespace
}  // namespace edgeprune
