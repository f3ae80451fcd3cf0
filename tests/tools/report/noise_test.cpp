#include "tools/report/noise.h"

#include <gtest/gtest.h>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::within;

RunRecord row(const std::string& method, const std::string& mode, double dense, double sparse,
              double automatic) {
  RunRecord run = testing::sample_run(method, "one-shot", 0.5, 0.9);
  run.mode = mode;
  run.latency = {{"dense", 1, 2}, {"sparse", 1, 2}, {"auto", 1, 2}};
  run.latency[0].factor = within(dense, 0.02);
  run.latency[1].factor = within(sparse, 0.02);
  run.latency[2].factor = within(automatic, 0.02);
  return run;
}

std::string doubt_of(const RunRecord& run) {
  return doubt(run, {1, 2});
}

TEST(Noise, AMaskedNetworksDenseKernelsAreAControl) {
  for (const char* mode : {"mask", "group-mask"}) {
    EXPECT_EQ(doubt_of(row("channel", mode, 1.049, 3, 3)), "");
    EXPECT_EQ(doubt_of(row("channel", mode, 0.951, 3, 3)), "");
    EXPECT_EQ(doubt_of(row("channel", mode, 1.36, 3, 3)),
              "noisy: dense kernels, whose work is the same, were 1.36 times as fast");
    EXPECT_EQ(doubt_of(row("channel", mode, 0.94, 3, 3)),
              "noisy: dense kernels, whose work is the same, were 0.94 times as fast");
  }
}

TEST(Noise, RemovedChannelsAreFasterOnDenseKernelsAndAutoIsTheControl) {
  EXPECT_EQ(doubt_of(row("channel", "compact", 3, 1, 3.1)), "");
  EXPECT_EQ(doubt_of(row("channel", "compact", 3, 1, 3.3)),
            "noisy: auto, which has no zeros to skip, was 1.10 times as fast");
}

TEST(Noise, TheUnprunedNetworkHasBothControls) {
  EXPECT_EQ(doubt_of(row("none", "none", 1, 0.5, 1)), "");
  EXPECT_NE(doubt_of(row("none", "none", 1.1, 0.5, 1.1)).find("dense kernels"), std::string::npos);
  EXPECT_NE(doubt_of(row("none", "none", 1, 0.5, 1.1)).find("auto"), std::string::npos);
}

TEST(Noise, AWideIntervalDecidesNothing) {
  RunRecord run = row("magnitude", "mask", 1, 3, 3);
  run.latency[1].factor = within(3, 0.12);
  EXPECT_EQ(doubt_of(run), "noisy: sparse is known to 12 % only");
}

TEST(Noise, ThreadsThatOthersTookTheProcessorsOfDecideNothing) {
  RunRecord run = row("magnitude", "mask", 1, 3, 3);
  const auto beside = [&](double others, int processors) {
    for (LatencyCell& cell : run.latency) cell.load = Load{others, 0.0, 9, processors};
    return doubt_of(run);
  };
  EXPECT_EQ(beside(0.9, 2), "noisy: others kept 0.9 of 2 processors busy beside 2 threads");
  EXPECT_EQ(beside(0.4, 2), "") << "most rounds were undisturbed";
  EXPECT_EQ(beside(0.9, 3), "") << "there was a processor to spare";
  EXPECT_NE(beside(0.9, 1), "");
  run.latency[0].load->others.reset();
  run.latency[1].load.reset();
  run.latency[2].load->others.reset();
  EXPECT_EQ(doubt_of(run), "") << "nobody knows";
}

TEST(Noise, TimesOfTwoSpeedsDecideNothing) {
  RunRecord run = row("magnitude", "mask", 1, 1.49, 3);
  run.latency[1].min = 0.143;
  run.latency[1].median = 0.178;
  EXPECT_EQ(doubt_of(run), "");
  run.latency[1].median = 0.262;
  EXPECT_EQ(doubt_of(run), "noisy: sparse took 0.262 ms in the median and 0.143 at best");
}

TEST(Noise, ThreadsThatMadeItSlowerDecideNothing) {
  RunRecord run = row("none", "none", 1, 0.8, 1);
  run.latency.push_back({"dense", 1, 1});
  run.latency[0].median = 0.283;
  run.latency[3].factor = within(1, 0.01);
  run.latency[3].median = 0.275;
  EXPECT_EQ(doubt_of(run), "") << "slower, but by next to nothing";
  run.latency[3].median = 0.246;
  EXPECT_EQ(doubt_of(run), "noisy: dense took 1.15 times as long on 2 threads as on one");
  EXPECT_EQ(doubt(run, {1, 1}), "") << "one thread waits for nobody";
}

TEST(Noise, OneCellMakesAllThatTookTurnsWithItNoisyAndNoOthers) {
  RunRecord run = row("magnitude", "mask", 1.2, 3, 3);
  run.latency.push_back({"dense", 64, 2});
  run.latency.back().factor = within(1, 0.01);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(trusted_factor(run, run.latency[i]), nullptr);
  EXPECT_EQ(trusted_factor(run, run.latency[3]), &*run.latency[3].factor);
}

TEST(Noise, RecordsOfBeforeWereNotTimedTogether) {
  RunRecord run = row("magnitude", "mask", 1, 3, 3);
  for (LatencyCell& cell : run.latency) cell.factor.reset();
  EXPECT_EQ(doubt_of(run), "not timed together");
  EXPECT_EQ(trusted_factor(run, run.latency[0]), nullptr);
}

TEST(Noise, WhatWasNotTimedIsNotInDoubt) {
  EXPECT_EQ(doubt(row("magnitude", "mask", 2, 3, 3), {64, 1}), "");
  RunRecord sparse_alone = row("magnitude", "mask", 1, 3, 3);
  sparse_alone.latency.erase(sparse_alone.latency.begin());
  EXPECT_EQ(doubt_of(sparse_alone), "") << "a plan without the dense engine has no control";
}

}  // namespace
}  // namespace edgeprune
