#include "tools/report/best_configuration.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::compact;
using testing::sample_run;

std::vector<RunRecord> runs() {
  return {sample_run("none", "none", 0, 0.9), sample_run("magnitude", "one-shot", 0.7, 0.896),
          sample_run("magnitude", "one-shot", 0.9, 0.894),
          compact(sample_run("channel", "exact", 0.6, 0.895))};
}

TEST(BestConfiguration, HalfAPointBelowIsAllowedAndNoMore) {
  const Results results(runs());
  const std::vector<BestRow> best = best_rows(results);
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0].row->id, "magnitude-one-shot-70");
  EXPECT_EQ(best[0].best_at, "sparsest, smallest file");
  EXPECT_EQ(best[1].row->id, "compact-channel-exact-60");
  EXPECT_EQ(best[1].best_at, "fastest at batch 1 on 1 thread, fastest at batch 64 on 1 thread");
}

TEST(BestConfiguration, ThereMayBeNone) {
  EXPECT_TRUE(best_rows(Results({sample_run("channel", "exact", 0.5, 0.9)})).empty());
  EXPECT_TRUE(best_rows(Results({sample_run("none", "none", 0, 0.9),
                                 sample_run("channel", "exact", 0.5, 0.8)}))
                  .empty());
}

TEST(BestConfiguration, TableSetsItBesideTheDenseBaseline) {
  const Results results(runs());
  const auto best = best_rows(results);
  const auto sizes = nlohmann::json::parse(best_sizes(results, best).render(Format::json));
  ASSERT_EQ(sizes.size(), 3u);
  EXPECT_EQ(sizes[0]["id"], "baseline");
  EXPECT_TRUE(sizes[0]["accuracy_difference_points"].is_null());
  EXPECT_NEAR(sizes[1]["accuracy_difference_points"].get<double>(), -0.4, 1e-9);
}

TEST(BestConfiguration, NoisyRowsAreBestAtNoSpeed) {
  std::vector<RunRecord> noisy = runs();
  for (LatencyCell& cell : noisy[3].latency) cell.factor = testing::within(25.51, 0.2);
  const Results results(noisy);
  const std::vector<BestRow> best = best_rows(results);
  ASSERT_EQ(best.size(), 1u);
  EXPECT_EQ(best[0].best_at,
            "sparsest, fastest at batch 1 on 1 thread, fastest at batch 64 on 1 thread, smallest "
            "file");
}

}  // namespace
}  // namespace edgeprune
