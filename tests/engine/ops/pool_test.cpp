#include "engine/ops/pool.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

TEST(GlobalAveragePool, IsTheMeanOverThePixels) {
  const Tensor x({2, 1, 2, 2}, std::vector<float>{1, 10, 3, 20, -1, 0, -3, 8});
  const Variable y = ops::global_average_pool(Variable(x));
  EXPECT_EQ(y.shape(), (Shape{2, 2}));
  EXPECT_EQ(testing::values_of(y.value()), (std::vector<float>{2, 15, -2, 4}));
}

TEST(GlobalAveragePool, GradientsMatchFiniteDifferences) {
  for (const Shape& shape : {Shape{2, 3, 2, 5}, Shape{1, 1, 1, 17}}) {
    EXPECT_TRUE(testing::gradients_match(
        {.function = [](const auto& in) { return ops::global_average_pool(in[0]); },
         .inputs = {testing::random_tensor(shape, 1)}}));
  }
}

TEST(GlobalAveragePool, WrongShapesAreNamed) {
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 0, 3, 4}, Shape{}}) {
    try {
      ops::global_average_pool(Variable(Tensor(shape)));
      ADD_FAILURE() << "accepted " << shape.to_string();
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(shape.to_string()), std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace edgeprune
