#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tools/experiment/study.h"

namespace edgeprune {
namespace {

/// What every plan has to be.
void expect_sound(const StudyPlan& plan) {
  std::map<std::string, const StudyStep*> known;
  for (const StudyStep& step : plan.steps) {
    EXPECT_TRUE(known.emplace(step.id, &step).second) << step.id << " is there twice";
    EXPECT_GT(step.epochs, 0) << step.id;
    if (!step.method) {
      EXPECT_EQ(step.id, "baseline");
      EXPECT_TRUE(step.parent.empty());
      continue;
    }
    ASSERT_TRUE(known.contains(step.parent)) << step.id << " comes before its parent";
    EXPECT_GT(step.target, known[step.parent]->target) << step.id;
    EXPECT_LT(step.target, 1) << step.id;
    EXPECT_EQ(known[step.parent]->method.value_or(*step.method), *step.method) << step.id;
  }
  EXPECT_TRUE(known.contains("baseline"));
}

std::vector<std::string> rows_of(const StudyPlan& plan) {
  std::vector<std::string> rows;
  for (const StudyStep& step : plan.steps) {
    if (step.row) rows.push_back(step.id);
  }
  return rows;
}

TEST(StudyPlan, DocumentPlanIsTheProtocolsGrid) {
  const StudyPlan plan = document_plan();
  expect_sound(plan);
  EXPECT_EQ(rows_of(plan),
            (std::vector<std::string>{
                "baseline", "magnitude-one-shot-30", "magnitude-one-shot-50",
                "magnitude-one-shot-70", "channel-one-shot-30", "channel-one-shot-50",
                "channel-one-shot-70", "magnitude-exact-30", "magnitude-exact-50",
                "magnitude-exact-70", "channel-exact-30", "channel-exact-50", "channel-exact-70"}));
  EXPECT_EQ(plan.steps.size(), 1u + 2 * 3 + 2 * 7);
  for (const StudyStep& step : plan.steps) {
    const int64_t epochs = !step.method ? 15 : step.schedule == "one-shot" ? 5 : 2;
    EXPECT_EQ(step.epochs, epochs) << step.id;
    EXPECT_TRUE(step.schedule != "one-shot" || step.parent == "baseline") << step.id;
  }
  EXPECT_EQ(plan.train_images + plan.finetune_images + plan.test_images, 0) << "all of the data";
  EXPECT_EQ(plan.batches, (std::vector<int>{1, 64}));
}

TEST(StudyPlan, ExactStepsAreOneTrajectory) {
  std::string parent = "baseline";
  for (const int target : {10, 20, 30, 40, 50, 60, 70}) {
    const std::string id = "channel-exact-" + std::to_string(target);
    const StudyPlan plan = document_plan();
    const auto step = std::find_if(plan.steps.begin(), plan.steps.end(),
                                   [&](const StudyStep& s) { return s.id == id; });
    ASSERT_NE(step, plan.steps.end()) << id;
    EXPECT_EQ(step->parent, parent);
    EXPECT_NEAR(step->target, target / 100.0, 1e-12);
    parent = id;
  }
}

TEST(StudyPlan, QuickPlanHasEveryKindOfRow) {
  const StudyPlan plan = quick_plan();
  expect_sound(plan);
  for (const char* kind :
       {"magnitude-one-shot", "magnitude-exact", "channel-one-shot", "channel-exact"}) {
    const auto rows = rows_of(plan);
    EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [&](const std::string& id) {
      return id.starts_with(kind);
    })) << kind;
  }
  EXPECT_GT(plan.train_images, plan.finetune_images);
}

}  // namespace
}  // namespace edgeprune
