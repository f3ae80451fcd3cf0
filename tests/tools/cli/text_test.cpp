#include "tools/cli/text.h"

#include <gtest/gtest.h>

namespace edgeprune {
namespace {

TEST(Text, ColumnsCountCharactersNotBytes) {
  EXPECT_EQ(text_columns(""), 0u);
  EXPECT_EQ(text_columns("abc"), 3u);
  EXPECT_EQ(text_columns("3×3 é"), 5u);
}

TEST(Text, ClippingNeverSplitsACharacter) {
  EXPECT_EQ(clip_text("3×3", 0), "");
  EXPECT_EQ(clip_text("3×3", 1), "3");
  EXPECT_EQ(clip_text("3×3", 2), "3×");
  EXPECT_EQ(clip_text("3×3", 3), "3×3");
  EXPECT_EQ(clip_text("3×3", 100), "3×3");
}

TEST(Text, TheNearestWordIsFewLettersAway) {
  const std::vector<std::string> known = {"--model", "--method", "--mode", "--sparsity"};
  EXPECT_EQ(nearest("--modle", known), "--model") << "two letters swapped";
  EXPECT_EQ(nearest("--mod", known), "--mode");
  EXPECT_EQ(nearest("--modell", known), "--model");
  EXPECT_EQ(nearest("--sparcity", known), "--sparsity");
  EXPECT_EQ(nearest("--method", known), "--method");
  EXPECT_EQ(nearest("--nonsense", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest("--model", {}), "");
}

}  // namespace
}  // namespace edgeprune
