#include "engine/kernels/panels/panel_layout.h"

#include <gtest/gtest.h>

#include <set>

namespace edgeprune {
namespace {

TEST(PanelLayout, FewColumnsMakeOneNarrowPanel) {
  EXPECT_EQ((PanelLayout{1, 1}.width()), 4);
  EXPECT_EQ((PanelLayout{1, 4}.width()), 4);
  EXPECT_EQ((PanelLayout{1, 5}.width()), 8);
  EXPECT_EQ((PanelLayout{1, 9}.width()), 16);
  EXPECT_EQ((PanelLayout{1, 16}.width()), 16);
  EXPECT_EQ((PanelLayout{1, 17}.width()), 32);
  EXPECT_EQ((PanelLayout{1, 63}.width()), 64);
  EXPECT_EQ((PanelLayout{1, 64}.width()), 64);
  EXPECT_EQ((PanelLayout{1, 1000}.width()), 64);
}

TEST(PanelLayout, TheLastPanelIsPadded) {
  const PanelLayout panels{5, 65};
  EXPECT_EQ(panels.count(), 2);
  EXPECT_EQ(panels.size(), 2 * 5 * 64);
  EXPECT_EQ((PanelLayout{5, 64}.count()), 1);
  EXPECT_EQ((PanelLayout{5, 3}.size()), 5 * 4);
}

TEST(PanelLayout, KernelsComputeWholeVectorsOfColumns) {
  EXPECT_EQ((PanelLayout{5, 3}.used_columns()), 4);
  EXPECT_EQ((PanelLayout{5, 9}.used_columns()), 16);
  EXPECT_EQ((PanelLayout{5, 49}.used_columns()), 64);
  EXPECT_EQ((PanelLayout{5, 64}.used_columns()), 64);
  EXPECT_EQ((PanelLayout{5, 65}.used_columns()), 80);
  EXPECT_EQ((PanelLayout{5, 196}.used_columns()), 208);
}

TEST(PanelLayout, AChannelsColumnsAreContiguousInsideAPanel) {
  const PanelLayout panels{3, 130};
  EXPECT_EQ(panels.offset(0, 0), 0);
  EXPECT_EQ(panels.offset(0, 63), 63);
  EXPECT_EQ(panels.offset(1, 0), 64);
  EXPECT_EQ(panels.offset(0, 64), 3 * 64);
  EXPECT_EQ(panels.offset(2, 129), (2 * 3 + 2) * 64 + 1);
}

TEST(PanelLayout, EveryElementHasAPlaceOfItsOwn) {
  for (const int64_t columns : {1, 4, 7, 15, 16, 48, 64, 65, 200}) {
    const PanelLayout panels{7, columns};
    std::set<int64_t> offsets;
    for (int64_t c = 0; c < panels.channels; ++c) {
      for (int64_t column = 0; column < columns; ++column) offsets.insert(panels.offset(c, column));
    }
    EXPECT_EQ(static_cast<int64_t>(offsets.size()), 7 * columns);
    EXPECT_GE(*offsets.begin(), 0);
    EXPECT_LT(*offsets.rbegin(), panels.size());
  }
}

}  // namespace
}  // namespace edgeprune
