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

TEST(AsUtf8, LeavesUtf8AsItIs) {
  for (const char* text : {"", "plain", "C:\\x", "\x7f", "caf\xC3\xA9", "\xE2\x82\xAC",
                           "\xF0\x9F\x90\xB1", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(as_utf8(text), text);
  }
}

TEST(AsUtf8, WritesOtherBytesOut) {
  EXPECT_EQ(as_utf8("caf\xE9"), "caf\\xE9");
  EXPECT_EQ(as_utf8("\xC3"), "\\xC3") << "cut off";
  EXPECT_EQ(as_utf8("\xC3(\xA9"), "\\xC3(\\xA9");
  EXPECT_EQ(as_utf8("\xC0\xAF"), "\\xC0\\xAF") << "overlong";
  EXPECT_EQ(as_utf8("\xE0\x80\xAF"), "\\xE0\\x80\\xAF") << "overlong";
  EXPECT_EQ(as_utf8("\xED\xA0\x80"), "\\xED\\xA0\\x80") << "a surrogate";
  EXPECT_EQ(as_utf8("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80") << "beyond Unicode";
  EXPECT_EQ(as_utf8("\xFF"), "\\xFF");
}

TEST(AsUtf8, CanBeTurnedBackToTheBytes) {
  EXPECT_EQ(as_utf8("a\\b"), "a\\b") << "of UTF-8 nothing is written out";
  EXPECT_EQ(as_utf8("\\xE9 or \xE9"), "\\x5CxE9 or \\xE9");
  EXPECT_EQ(as_utf8("\xFF\\"), "\\xFF\\x5C");
}

}  // namespace
}  // namespace edgeprune
