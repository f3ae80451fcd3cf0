#include <gtest/gtest.h>

#include "tests/support/expect_contains.h"
#include "tests/support/sample_records.h"
#include "tools/report/conclusions.h"
#include "tools/report/report.h"
#include "tools/report/speed.h"

// Every sentence about speed says plainly what its interval says: below 1, around it, slightly or far above.

namespace edgeprune {
namespace {

using testing::sample_run;

/// A row of zeros that keeps the accuracy, on sparse kernels so many times as fast as unpruned.
Results sparse_at(const Factor& factor) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("magnitude", "one-shot", 0.7, 0.9)};
  LatencyCell dense{"dense", 1, 1, 9, 1.0}, sparse{"sparse", 1, 1, 9, 1 / factor.median};
  dense.factor = testing::within(1, 0.02);
  sparse.factor = factor;
  runs[0].latency = {dense};
  runs[1].latency = {dense, sparse};
  return Results(std::move(runs));
}

const Factor kBelow{{0.83, 0.81, 0.85}, 20}, kAround{{1.01, 0.98, 1.04}, 20},
    kSlightly{{1.08, 1.04, 1.10}, 20}, kFar{{2.00, 1.96, 2.04}, 20};

std::string of_sparse_kernels(const Factor& factor) {
  const std::string text = headline(sparse_at(factor));
  const size_t begin = text.find("kernels that skip");
  return text.substr(begin, text.find(". ", begin) + 1 - begin);
}

TEST(Regimes, TheHeadline) {
  const std::string where = " as fast, batch 1 on 1 thread).";
  EXPECT_EQ(of_sparse_kernels(kBelow),
            "kernels that skip zeros make it slower (at most 0.83 times (0.81 to 0.85)" + where);
  EXPECT_EQ(of_sparse_kernels(kAround),
            "kernels that skip zeros do not (at most 1.01 times (0.98 to 1.04)" + where);
  EXPECT_EQ(
      of_sparse_kernels(kSlightly),
      "kernels that skip zeros do by a few percent at best (1.08 times (1.04 to 1.10)" + where);
  EXPECT_EQ(of_sparse_kernels(kFar),
            "kernels that skip zeros do (up to 2.00 times (1.96 to 2.04)" + where);
}

TEST(Regimes, TheConclusion) {
  const auto reason = [](const Factor& factor) {
    return conclusions(sparse_at(factor)).at(5).reasons.at(1);
  };
  const std::string where =
      " as fast as the unpruned network on dense kernels (magnitude-one-shot-70 on the sparse "
      "engine, "
      "batch 1 on 1 thread)";
  EXPECT_EQ(reason(kBelow),
            "Zeros on sparse kernels: slower, at most 0.83 times (0.81 to 0.85)" + where + ".");
  EXPECT_EQ(reason(kAround),
            "Zeros on sparse kernels: at most 1.01 times (0.98 to 1.04)" + where + ".");
  EXPECT_EQ(reason(kSlightly), "Zeros on sparse kernels: at most 1.08 times (1.04 to 1.10)" +
                                   where + ", a few percent faster, but not the 5 % that count.");
  EXPECT_EQ(reason(kFar), "Zeros on sparse kernels: up to 2.00 times (1.96 to 2.04)" + where + ".");
}

TEST(Regimes, TheTerminalsLine) {
  const auto line = [](const Factor& factor) { return summary(sparse_at(factor), "o").at(2); };
  const std::string sparse =
      " as fast as unpruned: magnitude-one-shot-70, sparse, batch 1 on 1 thread";
  EXPECT_EQ(line(kBelow),
            "speed: no faster, at best 1.00 times (0.98 to 1.02) as fast as unpruned: "
            "magnitude-one-shot-70, dense, batch 1 on 1 thread");
  EXPECT_EQ(line(kSlightly), "speed: 1.08 times (1.04 to 1.10)" + sparse);
  EXPECT_EQ(line(kFar), "speed: 2.00 times (1.96 to 2.04)" + sparse);
  EXPECT_EQ(line(Factor{{1.01, 0.99, 1.04}, 20}),
            "speed: no faster, at best 1.01 times (0.99 to 1.04)" + sparse);
}

TEST(Regimes, WhatIsNotThereAndWhatIsNotTrustedAreToldApart) {
  std::vector<RunRecord> runs = testing::sample_study();
  const auto reason = [&] { return conclusions(Results(runs)).at(5).reasons.at(2); };
  EXPECT_EQ(reason(), "Channels removed: no such rows in this study.");
  runs.push_back(testing::compact(sample_run("channel", "one-shot", 0.7, 0.8)));
  for (LatencyCell& cell : runs.back().latency) cell.factor = testing::within(2, 0.2);
  EXPECT_EQ(reason(), "Channels removed: no timing that can be trusted.");
}

TEST(Regimes, WithoutPrunedRowsNoneIsSaidToLoseAccuracy) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9)};
  EXPECT_EQ(headline(Results(runs)), "No pruned row has finished yet.");
  EXPECT_EQ(summary(Results(runs), "o").at(1),
            "best at equal accuracy: no pruned row has finished yet");
  runs.push_back(sample_run("magnitude", "one-shot", 0.7, 0.8));
  EXPECT_EQ(
      summary(Results(runs), "o").at(1),
      "best at equal accuracy: no pruned row stays within 0.59 points (what 10000 test images "
      "resolve) of the baseline's 90.00 % accuracy");
  EXPECT_EQ(summary(Results({runs[1]}), "o").at(1),
            "best at equal accuracy: there is no baseline yet");
}

TEST(Regimes, ZerosOnDenseKernelsAreTheSameWorkWhateverTheInterval) {
  EXPECT_EQ(effect_of(Means::dense_kernels, kSlightly), Effect::none);
  EXPECT_EQ(effect_of(Means::dense_kernels, Factor{{0.97, 0.96, 0.98}, 20}), Effect::none);
  EXPECT_EQ(effect_of(Means::removed_channels, Factor{{0.97, 0.96, 0.98}, 20}), Effect::slower);
  EXPECT_EQ(effect_of(Means::removed_channels, Factor{{1.06, 1.05, 1.07}, 20}), Effect::faster);
}

}  // namespace
}  // namespace edgeprune
