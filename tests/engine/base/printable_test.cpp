#include "engine/base/printable.h"

#include <gtest/gtest.h>

namespace edgeprune {
namespace {

TEST(Printable, MasksControlCharactersAndCutsLongText) {
  EXPECT_EQ(printable("a\nb\tc\x7f\x1b"), "a?b?c??");
  EXPECT_EQ(printable(std::string(80, 'x')), std::string(80, 'x'));
  EXPECT_EQ(printable(std::string(81, 'x')), std::string(80, 'x') + "...");
  EXPECT_EQ(printable("ünï"), "ünï");
}

TEST(Printable, TheLengthMayBeChosen) {
  EXPECT_EQ(printable("abcd", 3), "abc...");
}

}  // namespace
}  // namespace edgeprune
