#include "tools/measurement/limits.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edgeprune {
namespace {

const Limits kLimits = {.gflops = 100,
                        .stores = {{"L2", 1e6, 200}, {"L3", 1e7, 50}, {"memory", INFINITY, 10}}};

TEST(Limits, TheLimitIsThatOfArithmeticOrOfTheStoreThatTheBytesFitIn) {
  const auto limit = [](double flops, double bytes) {
    return limit_of(
        {.layer = "", .kernel = "", .flops = 9 * flops, .kernel_flops = flops, .bytes = bytes},
        kLimits);
  };
  EXPECT_EQ(limit(1e6, 1e5).name, "arithmetic");
  EXPECT_DOUBLE_EQ(limit(1e6, 1e5).ms, 0.01);
  EXPECT_EQ(limit(1e3, 1e6).name, "L2");
  EXPECT_DOUBLE_EQ(limit(1e3, 1e6).ms, 0.005);
  EXPECT_EQ(limit(0, 2e6).name, "L3");
  EXPECT_DOUBLE_EQ(limit(0, 2e6).ms, 0.04);
  EXPECT_EQ(limit(1e3, 2e7).name, "memory");
  EXPECT_DOUBLE_EQ(limit(1e3, 2e7).ms, 2);
  EXPECT_EQ(limit(0, 0).name, "");
  EXPECT_EQ(limit(0, 0).ms, 0);
}

// A layer of 307 kB fits into the second-level cache, but 2.4 MB of other layers' weights pass through between its turns.
TEST(Limits, WeightsComeFromWhereTheWholeNetworksFit) {
  LayerTime time{.layer = "", .kernel = "", .kernel_flops = 1e5, .bytes = 4e5};
  time.weight_share = 3e5;
  time.all_weights = 5e5;
  EXPECT_EQ(limit_of(time, kLimits).name, "L2");
  EXPECT_DOUBLE_EQ(limit_of(time, kLimits).ms, 0.002);
  time.all_weights = 2.4e6;
  EXPECT_EQ(limit_of(time, kLimits).name, "weights from L3");
  EXPECT_DOUBLE_EQ(limit_of(time, kLimits).ms, 0.006);
  time.weight_share /= 16;  // of one image in sixteen
  EXPECT_EQ(limit_of(time, kLimits).name, "L2");
}

TEST(Limits, LimitsAreMeasured) {
  const Limits limits = best_limits(1);
  EXPECT_GT(limits.gflops, 0);
  EXPECT_GE(limits.integer_gflops, limits.gflops);
  ASSERT_FALSE(limits.stores.empty());
  EXPECT_EQ(limits.stores.back().name, "memory");
  EXPECT_TRUE(std::isinf(limits.stores.back().bytes));
  for (size_t i = 0; i < limits.stores.size(); ++i) {
    EXPECT_GT(limits.stores[i].gbs, 0);
    if (i == 0) continue;
    EXPECT_GT(limits.stores[i].bytes, limits.stores[i - 1].bytes);
  }
}

TEST(Limits, AreTheBestThatWasSeenAndNeverFall) {
  const Limits before = best_limits(1), again = best_limits(1);
  EXPECT_EQ(again.gflops, before.gflops);
  LayerTime slow{.layer = "", .kernel = "", .ms = 1e6, .kernel_flops = 1, .bytes = 1};
  raise_limits(slow, 1);
  EXPECT_EQ(best_limits(1).gflops, before.gflops);
  LayerTime fast{.layer = "",
                 .kernel = "",
                 .ms = 1,
                 .kernel_flops = 3e6 * before.gflops,
                 .bytes = 1e15 * before.stores.back().gbs};
  raise_limits(fast, 1);
  const Limits after = best_limits(1);
  EXPECT_DOUBLE_EQ(after.gflops, 3 * before.gflops);
  EXPECT_DOUBLE_EQ(after.stores.back().gbs, 1e9 * before.stores.back().gbs) << "it is in memory";
  if (before.stores.size() > 1) {  // where caches are known
    EXPECT_EQ(after.stores.front().gbs, before.stores.front().gbs);
  }
  EXPECT_LE(limit_of(fast, after).ms, fast.ms * (1 + 1e-9));
  raise_limits({.layer = "", .kernel = "", .ms = 0, .kernel_flops = 1e9}, 1);
  EXPECT_EQ(best_limits(1).gflops, after.gflops) << "a clock that stood still proves nothing";
}

TEST(Limits, IntegersAreFasterWithoutMakingFloatsSo) {
  const Limits before = best_limits(1);
  LayerTime fast{.layer = "", .kernel = "", .ms = 1, .kernel_flops = 5e6 * before.gflops};
  fast.integers = true;
  EXPECT_DOUBLE_EQ(limit_of(fast, {.gflops = 10, .integer_gflops = 40, .stores = before.stores}).ms,
                   1e-6 * fast.kernel_flops / 40);
  raise_limits(fast, 1);
  const Limits after = best_limits(1);
  EXPECT_EQ(after.gflops, before.gflops);
  EXPECT_DOUBLE_EQ(after.integer_gflops, std::max(before.integer_gflops, 5 * before.gflops));
}

}  // namespace
}  // namespace edgeprune
