#include "tools/report/results.h"

#include <gtest/gtest.h>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;
using testing::sample_study;
using testing::with_seed;

/// A baseline and a row, three seeds each; the row's accuracies as given.
Results seeds(const std::vector<double>& accuracies) {
  std::vector<RunRecord> runs;
  for (size_t i = 0; i < accuracies.size(); ++i) {
    runs.push_back(with_seed(sample_run("none", "none", 0, 0.9), i, 0.9));
  }
  for (size_t i = 0; i < accuracies.size(); ++i) {
    runs.push_back(with_seed(sample_run("lamp", "cubic", 0.5, 0.9), i, accuracies[i]));
  }
  return Results(std::move(runs));
}

TEST(Results, OneSeedARowStaysAsItIs) {
  const std::vector<RunRecord> runs = sample_study();
  const Results results(runs);
  ASSERT_EQ(results.rows().size(), runs.size());
  EXPECT_FALSE(results.has_seeds());
  EXPECT_EQ(results.rows()[3].id, runs[3].id);
  EXPECT_EQ(results.rows()[3].accuracy, runs[3].accuracy);
  EXPECT_EQ(results.rows()[3].correct, runs[3].correct);
  EXPECT_EQ(results.baseline(), &results.rows()[0]);
}

TEST(Results, SeedsOfARowBecomeTheirMeanAndSpread) {
  std::vector<RunRecord> runs = {sample_run("lamp", "exact", 0.5, 0.8)};
  runs.push_back(with_seed(runs[0], 1, 0.86));
  runs.push_back(with_seed(runs[0], 2, 0.77));
  for (size_t i = 0; i < 3; ++i) {
    runs[i].latency = {{"dense", 1, 1, 10, 1.0 + double(i), 0, 0, 0, 0.9 - 0.1 * double(i), 2}};
  }
  const Results results(runs);
  ASSERT_EQ(results.rows().size(), 1u);
  EXPECT_TRUE(results.has_seeds());
  const RunRecord& row = results.rows()[0];
  EXPECT_EQ(row.id, "lamp-exact-50");
  EXPECT_NEAR(row.accuracy, 0.81, 1e-12);
  EXPECT_NEAR(row.latency[0].median, 2, 1e-12);
  EXPECT_NEAR(row.latency[0].min, 0.7, 1e-12);
  const Spread spread = results.accuracy(row);
  EXPECT_EQ(spread.seeds, 3u);
  EXPECT_EQ(spread.low, 0.77);
  EXPECT_EQ(spread.high, 0.86);
}

TEST(Results, FactorsOfSeedsAreTheMeanOfThoseThatAreNotNoisy) {
  std::vector<RunRecord> runs = {sample_run("lamp", "exact", 0.5, 0.8)};
  runs.push_back(with_seed(runs[0], 1, 0.86));
  runs.push_back(with_seed(runs[0], 2, 0.77));
  for (size_t i = 0; i < 3; ++i) {
    runs[i].latency = {{"dense", 1, 1}, {"sparse", 1, 1, 10, 1.0 + double(i)}};
    runs[i].latency[0].factor = testing::within(i == 2 ? 1.3 : 1, 0.01);  // the last one is noisy
    runs[i].latency[1].factor = testing::within(2 + double(i), 0.01);
  }
  const LatencyCell sparse = Results(runs).rows()[0].latency[1];
  EXPECT_NEAR(sparse.factor->median, 2.5, 1e-12);
  EXPECT_NEAR(sparse.factor->low, 2.5 * 0.99, 1e-12);
  EXPECT_EQ(sparse.factor->rounds, 40);
  EXPECT_NEAR(sparse.median, 1.5, 1e-12);
  runs[0].latency[1].factor.reset();
  runs[1].latency[1].factor.reset();
  EXPECT_FALSE(Results(runs).rows()[0].latency[1].factor) << "some were not timed together";
}

TEST(Results, FindsTheRowWithoutRecovery) {
  std::vector<RunRecord> runs = {sample_run("lamp", "exact", 0.5, 0.8)};
  runs[0].recovery = "rewind";
  EXPECT_EQ(Results(runs).find("lamp", "mask", "exact", 0.5), nullptr);
  runs[0].recovery = "";
  const Results results(runs);
  EXPECT_EQ(results.find("lamp", "mask", "exact", 0.5), &results.rows()[0]);
  EXPECT_EQ(results.find("lamp", "mask", "exact", 0.3), nullptr);
  EXPECT_EQ(results.find("lamp", "compact", "exact", 0.5), nullptr);
}

TEST(Results, ComparesImageByImage) {
  const Results results(sample_study());
  const RunRecord& better = *results.find("magnitude", "mask", "one-shot", 0.3);
  const Comparison up = results.compare(better, *results.baseline());
  EXPECT_NEAR(up.difference, 0.0191, 1e-12);
  EXPECT_TRUE(up.better());
  EXPECT_TRUE(results.compare(*results.baseline(), better).worse());
  const Comparison same = results.compare(better, better);
  EXPECT_EQ(same.p, 1.0);
  EXPECT_FALSE(same.better() || same.worse());
}

TEST(Results, WithoutTheSameImagesThereIsNoTest) {
  std::vector<RunRecord> runs = sample_study();
  runs[1].correct.clear();
  runs[2].test_images = 8;
  runs[2].correct = "ff";
  const Results results(runs);
  for (const size_t row : {1, 2}) {
    const Comparison found = results.compare(results.rows()[row], *results.baseline());
    EXPECT_FALSE(found.p.has_value());
    EXPECT_FALSE(found.better());
  }
}

TEST(Results, WhatCannotBeReadNamesItsRun) {
  std::vector<RunRecord> runs = sample_study();
  runs[1].correct[7] = 'z';
  const Results results(runs);
  try {
    results.compare(results.rows()[1], *results.baseline());
    FAIL() << "expected an exception";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("magnitude-one-shot-30"), std::string::npos);
  }
}

TEST(Results, ADifferenceHasToShowInEverySeed) {
  const auto compare = [](const Results& results) {
    return results.compare(results.rows()[1], results.rows()[0]);
  };
  EXPECT_TRUE(compare(seeds({0.92, 0.93, 0.94})).better());
  // The second differs in four images of 10,000, one way: p = 2 / 2^4.
  const Comparison faint = compare(seeds({0.92, 0.9004, 0.94}));
  EXPECT_NEAR(*faint.p, 0.125, 1e-12);
  EXPECT_FALSE(faint.better());
  EXPECT_EQ(compare(seeds({0.92, 0.88, 0.94})).p, 1.0);
}

TEST(Results, ASeedThatTheOtherLacksMeetsItsFirst) {
  const RunRecord baseline = sample_run("none", "none", 0, 0.9);
  const RunRecord row = sample_run("lamp", "cubic", 0.5, 0.91);
  const Results results({baseline, row, with_seed(row, 1, 0.93)});
  const Comparison found = results.compare(results.rows()[1], results.rows()[0]);
  EXPECT_NEAR(found.difference, 0.02, 1e-12);
  EXPECT_TRUE(found.better());
}

}  // namespace
}  // namespace edgeprune
