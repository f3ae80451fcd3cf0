#include "tools/training/channel_table.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "pruning/compact.h"

namespace edgeprune {
namespace {

TEST(ChannelTable, HasALineForEveryGroupAndTheTotals) {
  const nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  const ChannelPlan plan = plan_smallest_channels(model, 0.5, {.round_to = 16});
  const ModelSummary before = summarize(model), after = summarize(*compact(model, plan));
  Table table = channel_table(plan, before, after);
  add_channel_row(table, "file bytes", 1000, 251);
  const auto rows = nlohmann::json::parse(table.render(Format::json));
  ASSERT_EQ(rows.size(), plan.size() + 4);
  int64_t channels = 0, left = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(rows[i]["what"], plan[i].group.name);
    EXPECT_EQ(rows[i]["before"], plan[i].group.channels);
    EXPECT_EQ(rows[i]["after"], plan[i].kept.size());
    EXPECT_EQ(rows[i]["note"],
              plan[i].note.empty() ? nlohmann::json() : nlohmann::json(plan[i].note));
    channels += plan[i].group.channels;
    left += static_cast<int64_t>(plan[i].kept.size());
  }
  const auto& totals = rows[plan.size()];
  EXPECT_EQ(totals["what"], "channels");
  EXPECT_EQ(totals["before"], channels);
  EXPECT_EQ(totals["after"], left);
  EXPECT_EQ(rows[plan.size() + 1]["after"], after.parameters);
  EXPECT_EQ(rows[plan.size() + 2]["before"], before.multiply_adds);
  EXPECT_EQ(rows.back()["what"], "file bytes");
  EXPECT_NEAR(rows.back()["left_percent"].get<double>(), 25.1, 1e-9);
}

}  // namespace
}  // namespace edgeprune
