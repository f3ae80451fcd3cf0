#include "tools/study/study_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/message_of.h"
#include "tools/study/plan_file.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using Ids = std::vector<std::string>;

std::map<std::string, StudyStep> by_id(const std::vector<StudyStep>& steps) {
  std::map<std::string, StudyStep> found;
  for (const StudyStep& step : steps) {
    EXPECT_TRUE(found.emplace(step.id, step).second) << step.id << " is there twice";
  }
  return found;
}

/// What every plan has to be.
void expect_sound(const StudyPlan& plan) {
  std::map<std::string, StudyStep> known;
  for (const StudyStep& step : study_steps(plan)) {
    EXPECT_TRUE(known.emplace(step.id, step).second) << step.id << " is there twice";
    EXPECT_EQ(step.id, step.name);
    if (step.quantize) {
      ASSERT_TRUE(known.contains(step.parent)) << step.id << " comes before its parent";
      EXPECT_TRUE(known.at(step.parent).row) << step.id;
      continue;
    }
    EXPECT_GT(step.epochs, 0) << step.id;
    if (!step.prune) {
      EXPECT_EQ(step.id, "baseline");
      EXPECT_TRUE(step.parent.empty());
      continue;
    }
    ASSERT_TRUE(known.contains(step.parent)) << step.id << " comes before its parent";
    const StudyStep& parent = known.at(step.parent);
    EXPECT_GT(step.target, parent.target) << step.id;
    EXPECT_LT(step.target, 1) << step.id;
    if (parent.prune) {
      EXPECT_EQ(parent.prune->method, step.prune->method) << step.id;
    }
  }
  EXPECT_TRUE(known.contains("baseline"));
}

Ids rows_of(const StudyPlan& plan) {
  Ids rows;
  for (const StudyStep& step : study_steps(plan)) {
    if (step.row) rows.push_back(step.id);
  }
  return rows;
}

/// The ids from behind the baseline to a step.
Ids way_to(const StudyPlan& plan, std::string id) {
  const auto steps = by_id(study_steps(plan));
  Ids way;
  for (; id != "baseline"; id = steps.at(id).parent) way.insert(way.begin(), id);
  return way;
}

std::vector<double> fractions_to(const StudyPlan& plan, const std::string& id, Base base) {
  const auto steps = by_id(study_steps(plan));
  std::vector<double> fractions;
  for (const std::string& one : way_to(plan, id)) {
    const bool first = steps.at(one).parent == "baseline";  // of which all is left
    EXPECT_TRUE(first || steps.at(one).prune->step.base == base) << one;
    fractions.push_back(steps.at(one).prune->step.fraction);
  }
  return fractions;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  EXPECT_THAT(actual, ::testing::Pointwise(::testing::DoubleNear(1e-12), expected));
}

TEST(StudyPlan, OriginalPlanIsTheWholeGrid) {
  const StudyPlan plan = load_plan("original");
  expect_sound(plan);
  EXPECT_EQ(rows_of(plan), (Ids{"baseline",
                                "magnitude-one-shot-30",
                                "magnitude-one-shot-50",
                                "magnitude-one-shot-70",
                                "channel-one-shot-30",
                                "channel-one-shot-50",
                                "channel-one-shot-70",
                                "channel-compact-one-shot-30",
                                "channel-compact-one-shot-50",
                                "channel-compact-one-shot-70",
                                "channel-compact-exact-30",
                                "channel-compact-exact-50",
                                "channel-compact-exact-70",
                                "magnitude-exact-30",
                                "magnitude-exact-50",
                                "magnitude-exact-70",
                                "channel-exact-30",
                                "channel-exact-50",
                                "channel-exact-70",
                                "magnitude-compounding-50",
                                "magnitude-compounding-70",
                                "channel-compounding-30",
                                "channel-compounding-50",
                                "channel-compounding-70"}));
  const std::vector<StudyStep> steps = study_steps(plan);
  EXPECT_EQ(steps.size(), 1u + 3 * 3 + 5 * 7 - 2) << "shared beginnings are trained once";
  for (const StudyStep& step : steps) {
    const bool one_shot = step.schedule == PruningSchedule::one_shot;
    EXPECT_EQ(step.epochs, !step.prune ? 15 : one_shot ? 5 : 2) << step.id;
    EXPECT_TRUE(!step.prune || !one_shot || step.parent == "baseline") << step.id;
    EXPECT_EQ(step.recovery.to_string(), "") << step.id;
    if (!step.prune) continue;
    const bool compact = step.id.starts_with("channel-compact-");
    EXPECT_EQ(step.prune->mode, compact ? PruneMode::compact : PruneMode::mask) << step.id;
    EXPECT_EQ(step.prune->method,
              step.id.starts_with("channel") ? Method::channel : Method::magnitude);
  }
  EXPECT_EQ(plan.train_images + plan.finetune_images + plan.test_images, 0) << "all of the data";
  EXPECT_EQ(plan.batches, (std::vector<int>{1, 64}));
  EXPECT_EQ(plan.engines.size(), 3u);
}

TEST(StudyPlan, ExactStepsAreOneTrajectory) {
  const StudyPlan plan = load_plan("original");
  for (const char* series : {"channel-exact-", "magnitude-exact-", "channel-compact-exact-"}) {
    Ids expected;
    for (const char* percent : {"10", "20", "30", "40", "50", "60", "70"}) {
      expected.push_back(std::string(series) + percent);
      EXPECT_EQ(way_to(plan, expected.back()), expected);
    }
    expect_near(fractions_to(plan, expected.back(), Base::original),
                {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7});
  }
}

TEST(StudyPlan, CompoundingRowsAreReadOffTheOriginalSteps) {
  const StudyPlan plan = load_plan("original");
  const auto fractions = [&](const char* id) { return fractions_to(plan, id, Base::remaining); };
  expect_near(fractions("magnitude-compounding-50"), {0.1, 0.2, 0.3, 0.4, 0.5});
  expect_near(fractions("magnitude-compounding-70"), {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7});
  expect_near(fractions("channel-compounding-30"), std::vector<double>(3, 0.1));
  expect_near(fractions("channel-compounding-50"), std::vector<double>(5, 0.1));
  expect_near(fractions("channel-compounding-70"), std::vector<double>(7, 0.1));
  for (const std::string series : {"magnitude-compounding-", "channel-compounding-"}) {
    const Ids way = way_to(plan, series + "70");
    EXPECT_EQ(way.size(), 7u);
    EXPECT_EQ(way[4], series + "50") << "one trajectory";
  }
  EXPECT_EQ(way_to(plan, "magnitude-compounding-70")[0], "magnitude-exact-10");
  EXPECT_EQ(way_to(plan, "channel-compounding-70")[0], "channel-exact-10");
}

TEST(StudyPlan, AFirstStepThatIsARowBelongsToItsScheduleAlone) {
  StudyPlan plan = load_plan("original");
  std::erase_if(plan.experiments, [](const Experiment& e) {
    return e.method != Method::magnitude || e.schedule == PruningSchedule::one_shot;
  });
  ASSERT_EQ(plan.experiments.size(), 2u);
  EXPECT_EQ(study_steps(plan).size(), 1u + 7 + 6);
  for (Experiment& experiment : plan.experiments)
    experiment.targets.insert(experiment.targets.begin(), 0.1);
  EXPECT_EQ(study_steps(plan).size(), 1u + 7 + 7);
  for (const std::string id : {"magnitude-exact-", "magnitude-compounding-"}) {
    EXPECT_EQ(way_to(plan, id + "70")[0], id + "10");
  }
  plan.experiments[0].targets = {0.7};  // only compounding's is a row
  EXPECT_EQ(way_to(plan, "magnitude-compounding-70")[0], "magnitude-compounding-10");
  EXPECT_EQ(way_to(plan, "magnitude-exact-70")[0], "magnitude-exact-10");
}

TEST(StudyPlan, QuickPlanHasEveryKindOfRow) {
  const StudyPlan plan = load_plan("quick");
  expect_sound(plan);
  for (const char* kind :
       {"lamp-one-shot", "magnitude-one-shot", "channel-one-shot", "channel-compact"}) {
    const auto rows = rows_of(plan);
    EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [&](const std::string& id) {
      return id.starts_with(kind);
    })) << kind;
  }
  EXPECT_GT(plan.train_images, plan.finetune_images);
}

TEST(StudyPlan, ExtendedPlanComparesRecoveriesAtTheSameEpochs) {
  const StudyPlan plan = load_plan("extended");
  expect_sound(plan);
  EXPECT_NE(plan.training.schedule, optim::Schedule::Kind::constant)
      << "rewinding a constant learning rate changes nothing";
  const auto steps = by_id(study_steps(plan));
  for (const auto& [base, percent] :
       {std::pair{"magnitude-one-shot", "-80"}, std::pair{"channel-one-shot", "-50"}}) {
    const StudyStep& plain = steps.at(base + std::string(percent));
    EXPECT_EQ(plain.recovery.to_string(), "");
    for (const auto& [label, recovery] :
         {std::pair{"-recalibrated", "bn-recalibrate 2000"}, std::pair{"-rewound", "rewind"},
          std::pair{"-distilled", "distill 4,0.5"},
          std::pair{"-all", "bn-recalibrate 2000, rewind, distill 4,0.5"}}) {
      const StudyStep& step = steps.at(base + std::string(label) + percent);
      EXPECT_EQ(step.recovery.to_string(), recovery);
      EXPECT_EQ(step.epochs, plain.epochs);
    }
  }
  EXPECT_TRUE(steps.contains("magnitude-cubic-90"));
  EXPECT_TRUE(steps.contains("lamp-one-shot-80"));
}

Experiment experiment(PruningSchedule schedule, std::vector<double> targets, int64_t epochs = 1) {
  Experiment e;
  e.schedule = schedule;
  e.targets = std::move(targets);
  e.epochs = epochs;
  return e;
}

TEST(StudyPlan, TargetsMayComeInAnyOrderAndInSeveralExperiments) {
  StudyPlan plan;
  plan.experiments = {experiment(PruningSchedule::exact, {0.3, 0.1}),
                      experiment(PruningSchedule::exact, {0.4})};
  EXPECT_EQ(rows_of(plan),
            (Ids{"baseline", "magnitude-exact-10", "magnitude-exact-30", "magnitude-exact-40"}));
  EXPECT_EQ(study_steps(plan).size(), 5u);
}

TEST(StudyPlan, TargetsBetweenStepsBranchOff) {
  StudyPlan plan;
  plan.experiments = {experiment(PruningSchedule::exact, {0.3, 0.25, 0.125})};
  EXPECT_EQ(way_to(plan, "magnitude-exact-25"),
            (Ids{"magnitude-exact-10", "magnitude-exact-20", "magnitude-exact-25"}));
  EXPECT_EQ(way_to(plan, "magnitude-exact-12.5"),
            (Ids{"magnitude-exact-10", "magnitude-exact-12.5"}));
  EXPECT_EQ(study_steps(plan).size(), 1u + 3 + 2);
}

TEST(StudyPlan, CubicTrajectoriesShareNothing) {
  StudyPlan plan;
  plan.experiments = {experiment(PruningSchedule::cubic, {0.5, 0.8})};
  EXPECT_EQ(study_steps(plan).size(), 1u + 2 * 7);
  EXPECT_EQ(way_to(plan, "magnitude-cubic-80").front(), "magnitude-cubic-80.step1");
  EXPECT_EQ(rows_of(plan), (Ids{"baseline", "magnitude-cubic-50", "magnitude-cubic-80"}));
}

TEST(StudyPlan, EverySeedHasABaselineOfItsOwn) {
  StudyPlan plan;
  plan.experiments = {experiment(PruningSchedule::exact, {0.2})};
  const auto steps = study_steps(plan, {5, 7});
  Ids ids;
  for (const StudyStep& step : steps) ids.push_back(step.id);
  EXPECT_EQ(ids, (Ids{"baseline", "magnitude-exact-10", "magnitude-exact-20", "baseline.seed7",
                      "magnitude-exact-10.seed7", "magnitude-exact-20.seed7"}));
  EXPECT_EQ(steps[2].seed, 5u);
  EXPECT_EQ(steps[5].seed, 7u);
  EXPECT_EQ(steps[5].name, "magnitude-exact-20");
  EXPECT_EQ(steps[5].parent, "magnitude-exact-10.seed7");
  EXPECT_EQ(steps[3].parent, "");
  for (const auto& seeds : {std::vector<uint64_t>{}, std::vector<uint64_t>{1, 2, 1}}) {
    EXPECT_THROW(study_steps(plan, seeds), std::invalid_argument);
  }
}

TEST(StudyPlan, QuantisedRowsAreChildrenOfRows) {
  StudyPlan plan;
  plan.experiments = {experiment(PruningSchedule::exact, {0.1, 0.2}),
                      experiment(PruningSchedule::one_shot, {0.5})};
  const size_t floats = study_steps(plan).size();
  plan.experiments[0].quantize = {Quantizing::ptq};
  expect_sound(plan);
  EXPECT_EQ(rows_of(plan),
            (Ids{"baseline", "baseline-int8", "magnitude-exact-10", "magnitude-exact-10-int8",
                 "magnitude-exact-20", "magnitude-exact-20-int8", "magnitude-one-shot-50"}));
  EXPECT_EQ(study_steps(plan).size(), floats + 3);
  auto steps = by_id(study_steps(plan));
  const StudyStep& step = steps.at("magnitude-exact-20-int8");
  EXPECT_EQ(step.parent, "magnitude-exact-20");
  EXPECT_EQ(step.prune->step.fraction, 0.2) << "what its parent is";
  EXPECT_EQ(step.target, 0.2);
  EXPECT_EQ(step.epochs, 0);
  EXPECT_EQ(steps.at("magnitude-exact-20").parent, "magnitude-exact-10") << "not in integers";
  EXPECT_TRUE(steps.at("baseline").is_baseline());
  EXPECT_FALSE(steps.at("baseline-int8").is_baseline());
  // Both ways of one row, and of what it is compared with.
  plan.experiments.erase(plan.experiments.begin());
  plan.experiments[0].quantize = {Quantizing::qat, Quantizing::ptq};
  EXPECT_EQ(rows_of(plan),
            (Ids{"baseline", "baseline-int8", "baseline-int8-qat", "magnitude-one-shot-50",
                 "magnitude-one-shot-50-int8-qat", "magnitude-one-shot-50-int8"}));
  steps = by_id(study_steps(plan));
  EXPECT_EQ(steps.at("magnitude-one-shot-50-int8-qat").epochs, plan.qat_epochs);
  EXPECT_EQ(steps.at("magnitude-one-shot-50-int8").epochs, 0);
  // Limits are of the pruning, which is done once.
  plan.experiments[0].limits.min_density = 0.4;
  EXPECT_NO_THROW(require_feasible(plan));
}

TEST(StudyPlan, RowsThatCannotBeToldApartAreRefused) {
  const auto refusal = [](std::vector<Experiment> experiments) {
    StudyPlan plan;
    plan.experiments = std::move(experiments);
    return message_of<std::invalid_argument>([&] { study_steps(plan); });
  };
  const Experiment exact = experiment(PruningSchedule::exact, {0.2});
  EXPECT_THAT(refusal({exact, exact}),
              HasSubstr("experiments[1]: row magnitude-exact-20 is there already"));
  // Another way to the same name...
  EXPECT_THAT(refusal({exact, experiment(PruningSchedule::exact, {0.2}, 3)}),
              HasSubstr("experiments[1]: there is another magnitude-exact-10"));
  // ... which a label tells apart.
  Experiment labelled = experiment(PruningSchedule::exact, {0.2}, 3);
  labelled.label = "long";
  EXPECT_EQ(refusal({exact, labelled}), testing::kNothingThrown);
  // The same way to another name.
  labelled = exact;
  labelled.label = "again";
  EXPECT_THAT(refusal({exact, labelled}), HasSubstr("already, as magnitude-exact-20"));
  Experiment channels = experiment(PruningSchedule::compounding, {0.3, 0.32});
  channels.method = Method::channel;
  EXPECT_THAT(refusal({channels}), HasSubstr("channel-compounding-32"));
}

TEST(StudyPlan, ImagesForScoresTellStepsApartWhereScoresAreMeasured) {
  StudyStep measured, not_measured;
  measured.prune = PruneRequest{.method = Method::taylor};
  not_measured.prune = PruneRequest{.method = Method::lamp};
  const auto before = identity_of(measured), other = identity_of(not_measured);
  measured.score_images = not_measured.score_images = 7;
  EXPECT_NE(identity_of(measured), before);
  EXPECT_EQ(identity_of(not_measured), other) << "studies of before go on";
}

TEST(StudyPlan, LimitsAreLookedAtInThePlansNetwork) {
  StudyPlan plan;
  plan.experiments = {experiment(PruningSchedule::one_shot, {0.3})};
  plan.experiments[0].limits.keep = {"layer4.1.conv2"};
  EXPECT_THAT(message_of<std::invalid_argument>([&] { require_feasible(plan); }),
              HasSubstr("there is no layer 'layer4.1.conv2'"));
  plan.network = "resnet18";
  EXPECT_NO_THROW(require_feasible(plan));
}

TEST(StudyPlan, WhatLimitsMakeImpossibleIsKnownBeforehand) {
  StudyPlan plan;
  plan.experiments = {experiment(PruningSchedule::exact, {0.3})};
  plan.experiments[0].limits.min_density = 0.75;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { require_feasible(plan); }),
              HasSubstr("magnitude-exact-30: "));
  plan.experiments[0].limits.min_density = 0.6;
  EXPECT_NO_THROW(require_feasible(plan));
}

}  // namespace
}  // namespace edgeprune
