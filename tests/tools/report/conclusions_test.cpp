#include "tools/report/conclusions.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/expect_contains.h"
#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::compact;
using testing::expect_contains;
using testing::sample_run;
using testing::sample_study;

Conclusion conclusion(size_t number, const std::vector<RunRecord>& runs) {
  return conclusions(Results(runs)).at(number - 1);
}

std::string reasons(size_t number, const std::vector<RunRecord>& runs) {
  return fmt::format("{}", fmt::join(conclusion(number, runs).reasons, " "));
}

RunRecord& find(std::vector<RunRecord>& runs, const std::string& id) {
  for (RunRecord& run : runs) {
    if (run.id == id) return run;
  }
  throw std::out_of_range(id);
}

void set_accuracy(std::vector<RunRecord>& runs, const std::string& id, double accuracy) {
  RunRecord& run = find(runs, id);
  run = sample_run(run.method, run.schedule, run.target, accuracy);
}

TEST(Conclusions, ConfirmedByRowsLikeTheOriginalStudys) {
  const std::vector<RunRecord> runs = sample_study();
  EXPECT_EQ(conclusion(1, runs).verdict, Verdict::confirmed);
  expect_contains(
      reasons(1, runs),
      "magnitude-one-shot-30 91.71 % against baseline 89.80 % (+1.91 points, p < 0.001)");
  for (const size_t number : {2, 3, 4}) {
    EXPECT_EQ(conclusion(number, runs).verdict, Verdict::confirmed) << number;
  }
}

TEST(Conclusions, EachLevelHasAResultOfItsOwn) {
  std::vector<RunRecord> runs = sample_study();
  set_accuracy(runs, "magnitude-one-shot-30", 0.89);
  EXPECT_EQ(conclusion(1, runs).verdict, Verdict::overturned);
  expect_contains(reasons(1, runs), "magnitude-one-shot-30 89.00 %");
  EXPECT_EQ(conclusion(2, runs).verdict, Verdict::confirmed);
  expect_contains(reasons(2, runs), "magnitude-one-shot-50");
}

TEST(Conclusions, DifferencesWithinChanceDecideNothing) {
  std::vector<RunRecord> runs = sample_study();
  set_accuracy(runs, "magnitude-one-shot-30", 0.8984);  // four images
  EXPECT_EQ(conclusion(1, runs).verdict, Verdict::not_decided);
  expect_contains(reasons(1, runs), "p = 0.12");
}

TEST(Conclusions, HurtingAndSofteningAreHalvesWithAResultEach) {
  std::vector<RunRecord> runs = sample_study();
  for (const std::string target : {"30", "50", "70"}) {
    set_accuracy(runs, "channel-exact-" + target, 0.4);
  }
  EXPECT_EQ(conclusion(3, runs).verdict, Verdict::confirmed);
  EXPECT_EQ(conclusion(4, runs).verdict, Verdict::overturned);
}

/// A study of the whole of CIFAR-10.
StudyAbout whole() {
  StudyAbout about{.plan = "mine", .cifar10 = true};
  about.train_images = about.of_train_images = 50000;
  about.test_images = about.of_test_images = 10000;
  return about;
}

TEST(Conclusions, APlanOfLessTrainingDecidesNone) {
  const auto verdicts = [](const std::vector<RunRecord>& runs, const StudyAbout& about) {
    std::vector<Verdict> found;
    for (const Conclusion& one : conclusions(Results(runs, about))) found.push_back(one.verdict);
    return found;
  };
  const std::vector<Verdict> none(6, Verdict::not_by_this_plan);
  std::vector<RunRecord> runs = sample_study();
  EXPECT_EQ(verdicts(runs, whole())[0], Verdict::confirmed);
  StudyAbout part = whole();
  part.train_images = 10000;
  EXPECT_EQ(verdicts(runs, part), none);
  part = whole();
  part.test_images = 2000;
  EXPECT_EQ(verdicts(runs, part), none);
  runs[0].epochs_spent = 2;
  EXPECT_EQ(verdicts(runs, whole()), none);
  EXPECT_EQ(conclusions(Results(runs))[5].verdict, Verdict::not_by_this_plan) << "nor of speed";
  EXPECT_STREQ(to_string(Verdict::not_by_this_plan), "not decided by this plan");
}

TEST(Conclusions, OvershootingGoesByWhatCompoundingReached) {
  std::vector<RunRecord> runs = sample_study();
  EXPECT_EQ(conclusion(5, runs).verdict, Verdict::not_decided);
  RunRecord run = sample_run("magnitude", "compounding", 0.5, 0.85);
  run.nonzero_prunable = std::lround(0.151 * 2202560);
  run.nonzero_parameters = run.parameters - run.prunable + run.nonzero_prunable;
  runs.push_back(run);
  EXPECT_EQ(conclusion(5, runs).verdict, Verdict::confirmed);
  expect_contains(reasons(5, runs), "magnitude-compounding-50 reached 83.6 %");
  expect_contains(reasons(5, runs), "3 unstructured rows: at most 0 of 2202560 weights");
  runs.back() = sample_run("magnitude", "compounding", 0.5, 0.85);  // lands on its target
  EXPECT_EQ(conclusion(5, runs).verdict, Verdict::overturned);
}

TEST(Conclusions, AWeightOffTheTargetIsSaid) {
  std::vector<RunRecord> runs = sample_study();
  runs.push_back(sample_run("magnitude", "compounding", 0.5, 0.85));
  find(runs, "magnitude-exact-50").nonzero_prunable -= 7;
  expect_contains(reasons(5, runs), "at most 7 of 2202560 weights");
}

/// Single images on one thread, in turns with an unpruned network that takes a millisecond.
LatencyCell timed(const std::string& engine, double ms) {
  LatencyCell cell{engine, 1, 1, 9, ms};
  cell.factor = testing::within(1 / ms, 0.02);
  return cell;
}

TEST(Conclusions, SpeedGoesByTheLargestFactorAgainstTheDenseBaseline) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("magnitude", "one-shot", 0.7, 0.9),
                                 compact(sample_run("channel", "one-shot", 0.7, 0.9))};
  runs[0].latency = {timed("dense", 1.0), timed("sparse", 1.5)};
  runs[1].latency = {timed("dense", 0.98), timed("sparse", 1.2)};
  runs[2].latency = {timed("dense", 0.96)};
  EXPECT_EQ(conclusion(6, runs).verdict, Verdict::confirmed);
  runs[2].latency[0] = timed("dense", 0.4);
  EXPECT_EQ(conclusion(6, runs).verdict, Verdict::overturned);
  expect_contains(
      reasons(6, runs),
      "Channels removed: up to 2.50 times (2.45 to 2.55) as fast as the unpruned network on "
      "dense "
      "kernels (compact-channel-one-shot-70 on the dense engine, batch 1 on 1 thread).");
  runs[2].latency[0] = timed("dense", 0.96);
  runs[1].latency[1] = timed("sparse", 0.5);
  EXPECT_EQ(conclusion(6, runs).verdict, Verdict::overturned);
  expect_contains(reasons(6, runs), "Zeros on sparse kernels: up to 2.00 times");
}

// Zeros change nothing about the work of dense kernels: rows that seem faster are noisy, few or
// many.
TEST(Conclusions, SpeedIsNotOverturnedByNoise) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9)};
  runs[0].latency = {timed("dense", 1.0)};
  for (const double target : {0.3, 0.5, 0.7}) {
    runs.push_back(sample_run("magnitude", "one-shot", target, 0.9));
    runs.back().latency = {timed("dense", 1.0), timed("sparse", 1.4)};
  }
  runs[2].latency = {timed("dense", 0.8), timed("sparse", 0.1)};
  EXPECT_EQ(conclusion(6, runs).verdict, Verdict::confirmed);
  expect_contains(
      reasons(6, runs),
      "Zeros on dense kernels, as in the original study: 1.00 times in the median of the "
      "rows, at most 1.00 times (0.98 to 1.02) as fast as the unpruned network on dense "
      "kernels (magnitude-one-shot-30 on the dense engine, batch 1 on 1 thread).");
  for (RunRecord& run : runs) run.latency[0] = timed("dense", 0.8);
  EXPECT_EQ(conclusion(6, runs).verdict, Verdict::not_decided);
  expect_contains(reasons(6, runs), "4 of 4 timings are noisy and decide nothing");
}

TEST(Conclusions, SpeedIsNotDecidedByRowsThatWereNotTimedTogether) {
  std::vector<RunRecord> runs = sample_study();
  for (RunRecord& run : runs) {
    for (LatencyCell& cell : run.latency) cell.factor.reset();
  }
  EXPECT_EQ(conclusion(6, runs).verdict, Verdict::not_decided);
  expect_contains(reasons(6, runs), "were not taken in turns with the unpruned network");
}

TEST(Conclusions, WithoutRowsNothingIsDecided) {
  for (const Conclusion& one : conclusions(Results({}))) {
    EXPECT_EQ(one.verdict, Verdict::not_by_this_plan);
    EXPECT_FALSE(one.reasons.empty());
  }
}

TEST(Conclusions, ReachedTableSaysWhatWasAskedAndGot) {
  std::vector<RunRecord> runs = sample_study();
  runs.push_back(sample_run("magnitude", "compounding", 0.5, 0.85));
  const auto rows = nlohmann::json::parse(reached_table(Results(runs)).render(Format::json));
  ASSERT_EQ(rows.size(), 7u);
  EXPECT_EQ(rows[0]["id"], "magnitude-exact-30");
  EXPECT_EQ(rows[0]["zeros_wanted"], 660768);
  EXPECT_EQ(rows[0]["zeros"], 660768);
  EXPECT_TRUE(rows[3]["zeros_wanted"].is_null());  // channels are counted, not weights
  EXPECT_EQ(rows[6]["document_sparsity_percent"], "83.6");
}

}  // namespace
}  // namespace edgeprune
