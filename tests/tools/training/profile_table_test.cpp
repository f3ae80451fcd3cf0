#include "tools/training/profile_table.h"

#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/json.h"

namespace edgeprune {
namespace {

TEST(ProfileTable, DividesTimeBySteps) {
  Profiler profiler;
  for (int step = 0; step < 4; ++step) {
    profiler.add("pointwise", Phase::forward, 0.010, {2e9, 1e6});
    profiler.add("add", Phase::backward, 0.005, {0, 1e8});
    profiler.add("loader", Phase::forward, 0.001, {});
  }
  const Table table = profile_table(profiler, {.count = 4, .seconds = 0.080});
  const auto rows = nlohmann::json::parse(table.render(Format::json));
  ASSERT_EQ(rows.size(), 6u);
  const auto row = [&](const std::string& operation) {
    for (const auto& candidate : rows) {
      if (candidate.at("operation") == operation) return candidate;
    }
    throw std::runtime_error(operation);
  };
  EXPECT_EQ(row("pointwise").at("phase"), "forward");
  EXPECT_EQ(row("pointwise").at("ms_per_step"), 10);
  EXPECT_EQ(row("pointwise").at("share_percent"), 50);
  EXPECT_EQ(row("pointwise").at("gflops"), 200);
  EXPECT_EQ(row("pointwise").at("limit"), "arithmetic");
  EXPECT_EQ(row("add").at("phase"), "backward");
  EXPECT_EQ(row("add").at("gb_per_second"), 20);
  EXPECT_EQ(row("add").at("limit"), "memory");
  EXPECT_TRUE(row("add").at("gflops").is_null());
  EXPECT_TRUE(row("loader").at("limit_percent").is_null());
  EXPECT_EQ(row("other").at("ms_per_step"), 4);
  EXPECT_EQ(row("all").at("ms_per_step"), 20);
  EXPECT_EQ(row("all").at("share_percent"), 100);
  EXPECT_GT(row("machine").at("gflops"), 0);
  EXPECT_GT(row("machine").at("gb_per_second"), 0);
}

TEST(ProfileTable, WithoutStepsIsAnError) {
  EXPECT_THROW(profile_table(Profiler{}, {}), std::invalid_argument);
}

TEST(ProfileTable, SummarySaysWhatWasMeasured) {
  EXPECT_EQ(profile_summary({.count = 8, .seconds = 1, .fresh_buffers = 2}),
            "profile of 8 steps, behind 2 of warm-up: 0.25 fresh buffers a step");
}

}  // namespace
}  // namespace edgeprune
