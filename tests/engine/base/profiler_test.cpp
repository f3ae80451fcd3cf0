#include "engine/base/profiler.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace edgeprune {
namespace {

void work(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

TEST(Profiler, AddsUpSecondsCallsAndCostsByFamilyAndPhase) {
  Profiler profiler;
  const ProfilerScope scope(profiler);
  for (int i = 0; i < 2; ++i) {
    const Timed timed("conv", Phase::forward, {10, 100});
    work(2);
  }
  { const Timed timed("conv", Phase::backward, {1, 2}); }
  ASSERT_EQ(profiler.entries().size(), 2u);
  const Profiler::Entry& forward = profiler.entries().at({"conv", Phase::forward});
  EXPECT_EQ(forward.calls, 2);
  EXPECT_EQ(forward.cost.flops, 20);
  EXPECT_EQ(forward.cost.bytes, 200);
  EXPECT_GE(forward.seconds, 4e-3);
  EXPECT_EQ(profiler.entries().at({"conv", Phase::backward}).calls, 1);
}

TEST(Profiler, AnOperationsTimeIsWithoutThoseItCalls) {
  Profiler profiler;
  const ProfilerScope scope(profiler);
  const Stopwatch all;
  {
    const Timed outer("outer", Phase::forward, {});
    const Timed inner("inner", Phase::forward, {});
    work(20);
  }
  const double outer = profiler.entries().at({"outer", Phase::forward}).seconds;
  const double inner = profiler.entries().at({"inner", Phase::forward}).seconds;
  EXPECT_GE(inner, 20e-3);
  EXPECT_LT(outer, inner);
  EXPECT_LE(outer + inner, all.seconds());
}

TEST(Profiler, NothingIsRecordedOutsideItsScope) {
  Profiler profiler;
  { const ProfilerScope scope(profiler); }
  { const Timed timed("conv", Phase::forward, {}); }
  EXPECT_TRUE(profiler.entries().empty());
}

}  // namespace
}  // namespace edgeprune
