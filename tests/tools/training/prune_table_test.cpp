#include "tools/training/prune_table.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::trained_model;

TEST(PlanTable, CountsWeightsAndChannelsOfEachLayerAndAllDenominators) {
  const auto before = trained_model(0.25);
  const auto after = prune(trained_model(0.25), {.method = Method::channel, .step = {0.5}}).model;
  const ModelSummary whole = summarize_unpruned(*before), left = summarize(*after);
  Table table = plan_table();
  add_plan_rows(table, 2, whole, *before, *after);
  const auto rows = nlohmann::json::parse(table.render(Format::json));
  ASSERT_EQ(rows.size(), whole.layers.size() + 2);
  int64_t weights = 0, channels = 0;
  for (size_t i = 0; i < whole.layers.size(); ++i) {
    EXPECT_EQ(rows[i]["step"], 2);
    EXPECT_EQ(rows[i]["layer"], whole.layers[i].name);
    EXPECT_EQ(rows[i]["weights"], whole.layers[i].parameters);
    EXPECT_EQ(rows[i]["zeros_before"], 0);
    const int64_t out = whole.layers[i].weight[0], gone = i + 1 < whole.layers.size() ? out / 2 : 0;
    EXPECT_EQ(rows[i]["channels_to_go"], gone) << rows[i];
    EXPECT_EQ(rows[i]["weights_to_go"], gone * whole.layers[i].parameters / out);
    weights += rows[i]["weights_to_go"].get<int64_t>();
    channels += gone;
  }
  const auto &prunable = rows[rows.size() - 2], &all = rows.back();
  EXPECT_EQ(prunable["weights_to_go"], weights);
  EXPECT_EQ(prunable["channels_to_go"], channels);
  EXPECT_EQ(prunable["multiply_adds_left"], left.nonzero_multiply_adds);
  EXPECT_NEAR(prunable["sparsity_percent"].get<double>(), 100 * left.prunable_sparsity(), 1e-9);
  EXPECT_NEAR(all["sparsity_percent"].get<double>(), 100 * left.sparsity(), 1e-9);
  EXPECT_EQ(all["weights"], whole.parameters);
}

TEST(PlanTable, WhatWasRemovedIsGoneFromTheWholeNetwork) {
  const auto request = [](double fraction) {
    return PruneRequest{.method = Method::channel, .mode = PruneMode::compact, .step = {fraction}};
  };
  const auto small = prune(trained_model(0.25), request(0.3)).model;
  const auto smaller = prune(prune(trained_model(0.25), request(0.3)).model, request(0.5)).model;
  const ModelSummary whole = summarize_unpruned(*small);
  EXPECT_EQ(whole.parameters, summarize(*trained_model(0.25)).parameters);
  Table table = plan_table();
  add_plan_rows(table, 1, whole, *small, *smaller);
  const auto all = nlohmann::json::parse(table.render(Format::json)).back();
  EXPECT_EQ(all["weights_to_go"],
            summarize(*small).nonzero_parameters - summarize(*smaller).nonzero_parameters);
  EXPECT_EQ(all["zeros_after"], whole.parameters - summarize(*smaller).nonzero_parameters);
}

TEST(TrajectoryTable, HasALineForEachStep) {
  const ModelSummary whole = summarize(*trained_model(0.25));
  const TrajectoryStep step{.step = {0.1, Base::remaining},
                            .accuracy_before = 0.5,
                            .accuracy = 0.75,
                            .seconds = 3,
                            .nonzero_parameters = whole.parameters / 2,
                            .nonzero_prunable = whole.prunable / 4,
                            .nonzero_multiply_adds = whole.multiply_adds / 10,
                            .kept = false};
  Table table = trajectory_table();
  add_trajectory_row(table, 4, step, whole);
  const auto row = nlohmann::json::parse(table.render(Format::json)).at(0);
  EXPECT_EQ(row["step"], 4);
  EXPECT_EQ(row["of"], "remaining");
  EXPECT_NEAR(row["sparsity_percent"].get<double>(), 50, 0.01);
  EXPECT_NEAR(row["prunable_sparsity_percent"].get<double>(), 75, 0.01);
  EXPECT_NEAR(row["multiply_adds_removed_percent"].get<double>(), 90, 0.01);
  EXPECT_EQ(row["multiply_adds_left"], whole.multiply_adds / 10);
  EXPECT_EQ(row["accuracy_before_percent"], 50);
  EXPECT_EQ(row["accuracy_percent"], 75);
  EXPECT_EQ(row["kept"], "no");
}

}  // namespace
}  // namespace edgeprune
