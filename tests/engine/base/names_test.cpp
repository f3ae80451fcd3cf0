#include "engine/base/names.h"

#include <gtest/gtest.h>

#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

enum class Fruit { apple, blood_orange, cherry };
constexpr Named<Fruit> kFruits[] = {{Fruit::apple, "apple"},
                                    {Fruit::blood_orange, "blood-orange", "red inside"},
                                    {Fruit::cherry, "cherry", "small"}};
static_assert(in_order(kFruits));
constexpr Named<Fruit> kSwapped[] = {{Fruit::blood_orange, "b"}, {Fruit::apple, "a"}};
static_assert(!in_order(kSwapped));

TEST(Names, AreReadBack) {
  EXPECT_EQ(names_of(kFruits), (std::vector<std::string>{"apple", "blood-orange", "cherry"}));
  for (const Fruit fruit : {Fruit::apple, Fruit::blood_orange, Fruit::cherry}) {
    EXPECT_EQ(value_of("fruit", kFruits, name_of(kFruits, fruit)), fruit);
  }
}

TEST(Names, AValueWithoutARowIsSeen) {
  EXPECT_STREQ(name_of(kFruits, static_cast<Fruit>(3)), "?");
  EXPECT_STREQ(name_of(kFruits, static_cast<Fruit>(-1)), "?");
}

TEST(Names, OthersAreRefusedWithTheChoices) {
  for (const std::string name : {"", "pear", "Apple", "apple "}) {
    EXPECT_EQ(testing::message_of<std::invalid_argument>([&] { value_of("fruit", kFruits, name); }),
              "[fruit] expected apple, blood-orange or cherry, got '" + name + "'");
  }
}

TEST(Names, AreListedAndExplained) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed({"a"}), "a");
  EXPECT_EQ(listed({"a", "b"}), "a or b");
  EXPECT_EQ(explained(kFruits), "apple, blood-orange (red inside) or cherry (small)");
}

}  // namespace
}  // namespace edgeprune
