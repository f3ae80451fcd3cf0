#include "engine/kernels/int8/dot_products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

TEST(DotProducts, TheEnvironmentForbidsThemAndNonsenseIsRefused) {
  const auto with = [](const char* setting) {
    ::setenv("EDGEPRUNE_VNNI", setting, 1);
    int8::allow_dot_products_by_environment();
  };
  with("0");
  EXPECT_FALSE(int8::uses_dot_products());
  with("1");
  EXPECT_EQ(int8::uses_dot_products(), int8::has_dot_products());
  for (const char* nonsense : {"nonsense", "2", "00", "off"}) {
    EXPECT_THAT(testing::message_of<std::invalid_argument>([&] { with(nonsense); }),
                ::testing::HasSubstr(std::string("got '") + nonsense + "'"));
  }
  ::unsetenv("EDGEPRUNE_VNNI");
}

}  // namespace
}  // namespace edgeprune
