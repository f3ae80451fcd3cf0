#include "tools/station/decision/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace edgeprune::station {
namespace {

struct Sample {
  std::vector<float> logits;
  std::vector<int> labels;
  size_t classes = 2;
  HeldOut view() const { return {logits, labels, classes}; }
  /// An item whose second class has this probability at temperature 1.
  void add(double probability, int label, int times = 1) {
    for (int i = 0; i < times; ++i) {
      logits.push_back(0);
      logits.push_back(static_cast<float>(std::log(probability / (1 - probability))));
      labels.push_back(label);
    }
  }
};

/// Three classes; labels are drawn by softmax of the logits that are then multiplied by `heat`.
Sample drawn(double heat, int images) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 2);
  Sample sample{.logits = {}, .labels = {}, .classes = 3};
  for (int i = 0; i < images; ++i) {
    const std::vector<float> logits = {normal(random), normal(random), normal(random)};
    const auto shares = probabilities(logits, 1);
    std::discrete_distribution<int> label(shares.begin(), shares.end());
    sample.labels.push_back(label(random));
    for (const float logit : logits) sample.logits.push_back(static_cast<float>(logit * heat));
  }
  return sample;
}

TEST(Temperature, IsWhatTheLogitsWereMultipliedBy) {
  for (const double heat : {0.4, 1.0, 3.0}) {
    const Sample sample = drawn(heat, 20'000);
    EXPECT_NEAR(fit_temperature(sample.view()), heat, 0.04 * heat);
  }
}

TEST(Temperature, HasTheLeastLossAndMendsTheCalibrationError) {
  const Sample sample = drawn(3, 20'000);
  const double found = fit_temperature(sample.view());
  const Truth before = truth_of(sample.view(), 1), after = truth_of(sample.view(), found);
  EXPECT_LT(after.loss, truth_of(sample.view(), 1.01 * found).loss);
  EXPECT_LT(after.loss, truth_of(sample.view(), 0.99 * found).loss);
  EXPECT_GT(before.calibration_error, 0.1);
  EXPECT_LT(after.calibration_error, 0.015);
}

TEST(Temperature, HasALeastOneWhereTwoOddsAreKnown) {
  Sample sample;  // 3 of 4 right at odds of 9: logit ln 9 / T = ln 3, T = 2
  sample.add(0.9, 1, 3);
  sample.add(0.9, 0, 1);
  EXPECT_NEAR(fit_temperature(sample.view()), 2, 1e-6);
  EXPECT_NEAR(truth_of(sample.view(), 2).calibration_error, 0, 1e-6);
  EXPECT_NEAR(truth_of(sample.view(), 1).calibration_error, 0.15, 1e-6);
}

TEST(Temperature, StaysBetweenItsEnds) {
  Sample right, wrong;
  right.add(0.9, 1, 10);
  wrong.add(0.9, 0, 10);
  EXPECT_EQ(fit_temperature(right.view()), kColdest);
  EXPECT_EQ(fit_temperature(wrong.view()), kHottest);
}

// Of R's binom.test(k, n, alternative = "greater")$conf.int[1], and of its closed form where all hit.
TEST(LowerBound, IsCloppersAndPearsons) {
  EXPECT_NEAR(lower_bound(10, 10, 0.95), std::pow(0.05, 0.1), 1e-9);
  EXPECT_NEAR(lower_bound(299, 299, 0.95), 0.99003, 1e-5);
  EXPECT_NEAR(lower_bound(1, 10, 0.95), 1 - std::pow(0.95, 0.1), 1e-9);
  EXPECT_NEAR(lower_bound(9, 10, 0.95), 0.6058367, 1e-6);
  EXPECT_EQ(lower_bound(0, 10, 0.95), 0);
}

TEST(MissesAllowed, AreTheMostThatKeepThePromise) {
  EXPECT_EQ(images_to_promise(0.99, 0.95), 299);
  EXPECT_EQ(misses_allowed(298, 0.99, 0.95), -1);
  EXPECT_EQ(misses_allowed(299, 0.99, 0.95), 0);
  EXPECT_EQ(misses_allowed(472, 0.99, 0.95), 0);
  EXPECT_EQ(misses_allowed(473, 0.99, 0.95), 1);  // the known next sample size of the plan 95/99
  for (const int64_t all : {500, 1000, 3000}) {
    const int64_t most = misses_allowed(all, 0.99, 0.95);
    EXPECT_GE(lower_bound(all - most, all, 0.95), 0.99);
    EXPECT_LT(lower_bound(all - most - 1, all, 0.95), 0.99);
  }
}

const std::vector<std::string> kNames = {"ok", "bad"};
Wishes wishes(double recall, double precision = 0.95) {
  return {.good = {true, false},
          .recalls = {0, recall},
          .reject_precision = precision,
          .confidence = 0.95};
}

TEST(Calibrate, LetsPassAsManyDefectsAsThePromiseAllows) {
  Sample sample;
  for (int i = 0; i < 100; ++i) sample.add(0.01 + 0.0001 * i, 0);
  for (int i = 0; i < 100; ++i) sample.add(0.1 + 0.001 * i, 1);  // distinct: 0.1, 0.101 ...
  const int64_t allowed = misses_allowed(100, 0.9, 0.95);
  ASSERT_EQ(allowed, 4);
  const Policy policy = calibrate(sample.view(), kNames, wishes(0.9));
  const auto found = outcomes(sample.view(), policy);
  EXPECT_EQ(found[1].images, 100);
  EXPECT_EQ(found[1].passed, allowed);
  EXPECT_EQ(found[0].passed, 100) << "good ones lie below";
  EXPECT_EQ(policy.classes[1].name, "bad");
}

TEST(Calibrate, WithTooFewImagesLetsNoneOfThemPass) {
  Sample sample;
  sample.add(0.05, 0, 50);
  sample.add(0.02, 0, 50);
  sample.add(0.04, 1, 1);
  sample.add(0.8, 1, 9);
  const auto found = outcomes(sample.view(), calibrate(sample.view(), kNames, wishes(0.99)));
  EXPECT_EQ(found[1].passed, 0);
  EXPECT_EQ(found[0].passed, 50) << "those below the lowest defect";
}

TEST(Calibrate, RejectsWhereThePrecisionHolds) {
  Sample sample;
  sample.add(0.95, 1, 19);
  sample.add(0.9, 0, 1);  // 19 of 20: 95 % still
  sample.add(0.8, 0, 1);  // 19 of 21: no more
  sample.add(0.6, 1, 2);
  sample.add(0.1, 0, 100);
  const auto found = outcomes(sample.view(), calibrate(sample.view(), kNames, wishes(0.5)));
  EXPECT_EQ(found[1].rejected, 19);
  EXPECT_EQ(found[0].rejected, 1);
  EXPECT_EQ(found[1].reviewed + found[1].passed, 2);
  const Policy strict = calibrate(sample.view(), kNames, wishes(0.5, 0.99));
  EXPECT_EQ(outcomes(sample.view(), strict)[0].rejected, 0);
  EXPECT_EQ(outcomes(sample.view(), strict)[1].rejected, 19);
}

TEST(Calibrate, NeverRejectsWhatIsNeverRight) {
  Sample sample;
  sample.add(0.9, 0, 10);
  sample.add(0.2, 1, 10);
  EXPECT_EQ(calibrate(sample.view(), kNames, wishes(0.5)).classes[1].reject_from, kNeverReject);
}

TEST(Calibrate, ADefectThatIsCalledAnotherDefectNeedsNoThreshold) {
  Sample sample{.logits = {}, .labels = {}, .classes = 3};
  const auto add = [&](std::vector<float> logits, int label, int times) {
    for (int i = 0; i < times; ++i) {
      sample.logits.insert(sample.logits.end(), logits.begin(), logits.end());
      sample.labels.push_back(label);
    }
  };
  add({5, 0, 0}, 0, 100);
  add({0, 5, 0}, 1, 20);
  add({0, 0, 5}, 1, 20);  // "bent", called "scratched": diverted all the same
  add({0, 0, 5}, 2, 40);
  const Wishes wanted{.good = {true, false, false}, .recalls = {0, 0.99, 0.99}};
  const Policy policy =
      calibrate(sample.view(), std::vector<std::string>{"ok", "bent", "scratched"}, wanted);
  const auto found = outcomes(sample.view(), policy);
  EXPECT_EQ(found[0].passed, 100);
  EXPECT_EQ(found[1].passed + found[2].passed, 0);
  EXPECT_EQ(policy.classes[1].clear_below, 0.5f);
}

TEST(Calibrate, RefusesWhatItCannotKnow) {
  Sample sample;
  sample.add(0.1, 0, 10);
  EXPECT_THROW(calibrate(sample.view(), kNames, wishes(0.9)), std::invalid_argument)
      << "no defects";
  sample.add(0.1, 1, 10);
  Wishes none = wishes(0.9);
  none.good = {false, false};
  EXPECT_THROW(calibrate(sample.view(), kNames, none), std::invalid_argument);
  sample.logits[0] = std::nanf("");
  EXPECT_THROW(calibrate(sample.view(), kNames, wishes(0.9)), std::invalid_argument);
}

TEST(Calibrate, IsSafeForAnySampleFromTheSameLine) {
  // The promise: over many calibrations, recall on fresh items falls short of the wanted one in 5 % of them at most.
  std::mt19937 random(3);
  std::normal_distribution<float> good(-1, 1), bad(1, 1);
  const auto line = [&](int each) {
    Sample sample;
    for (int i = 0; i < each; ++i) {
      sample.logits.insert(sample.logits.end(), {0, good(random), 0, bad(random)});
      sample.labels.insert(sample.labels.end(), {0, 1});
    }
    return sample;
  };
  int short_of = 0;
  const Sample fresh = line(20'000);
  for (int round = 0; round < 200; ++round) {
    const Sample sample = line(100);
    const auto found = outcomes(fresh.view(), calibrate(sample.view(), kNames, wishes(0.9)));
    short_of += double(found[1].images - found[1].passed) < 0.9 * double(found[1].images);
  }
  EXPECT_LE(short_of, 20);  // 10 expected at most
  EXPECT_GE(short_of, 1);   // else it is needlessly strict
}

}  // namespace
}  // namespace edgeprune::station
