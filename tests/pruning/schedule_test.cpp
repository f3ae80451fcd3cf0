#include "pruning/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edgeprune {
namespace {

using enum PruningSchedule;

void expect_steps(const std::vector<PruningStep>& actual, const std::vector<double>& fractions,
                  Base base) {
  ASSERT_EQ(actual.size(), fractions.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i].fraction, fractions[i], 1e-12) << i;
    EXPECT_EQ(actual[i].base, base) << i;
  }
}

TEST(PruningSchedule, OneShotIsTheTarget) {
  for (const Method method : {Method::magnitude, Method::channel}) {
    expect_steps(pruning_steps(one_shot, method, 0.37), {0.37}, Base::original);
    expect_steps(pruning_steps(one_shot, method, 0), {0}, Base::original);
  }
}

TEST(PruningSchedule, ExactStepsAreTenthsUpToAndIncludingTheTarget) {
  const auto expect_exact = [](double target, double step, const std::vector<double>& expected) {
    for (const Method method : values_in(kMethods)) {
      const auto steps = pruning_steps(exact, method, target, {.step = step});
      expect_steps(steps, expected, Base::original);
      EXPECT_EQ(steps.back().fraction, target);
    }
  };
  expect_exact(0.7, 0.1, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7});
  expect_exact(0.3, 0.1, {0.1, 0.2, 0.3});
  expect_exact(0.25, 0.1, {0.1, 0.2, 0.25});
  expect_exact(0.05, 0.1, {0.05});
  expect_exact(0.75, 0.25, {0.25, 0.5, 0.75});
}

TEST(PruningSchedule, CompoundingTakesRisingSharesOfWhatIsLeftOfTheWeights) {
  for (const Method method : {Method::magnitude, Method::lamp}) {
    expect_steps(pruning_steps(compounding, method, 0.5), {0.1, 0.2, 0.3, 0.4, 0.5},
                 Base::remaining);
    expect_steps(pruning_steps(compounding, method, 0.25, {.step = 0.2}), {0.2, 0.25},
                 Base::remaining);
  }
}

TEST(PruningSchedule, CompoundingTakesTheSameShareOfTheChannelsLeftEachTime) {
  for (const auto& [target, count] : {std::pair{0.3, 3}, {0.5, 5}, {0.7, 7}, {0.04, 1}}) {
    expect_steps(pruning_steps(compounding, Method::channel, target),
                 std::vector<double>(size_t(count), 0.1), Base::remaining);
  }
}

TEST(PruningSchedule, CubicTakesMostAtFirstAndEndsAtTheTarget) {
  const auto steps = pruning_steps(cubic, Method::magnitude, 0.8, {.cubic_steps = 4});
  // 1 - (1 - t / 4)^3 = 37, 56, 63 and 64 of 64.
  expect_steps(steps, {0.8 * 37 / 64, 0.8 * 56 / 64, 0.8 * 63 / 64, 0.8}, Base::original);
  EXPECT_EQ(steps.back().fraction, 0.8);
  EXPECT_EQ(pruning_steps(cubic, Method::channel, 0.5).size(), 7u);
}

TEST(PruningSchedule, NamesAreReadBack) {
  for (const PruningSchedule schedule : values_in(kPruningSchedules)) {
    EXPECT_EQ(parse_pruning_schedule(to_string(schedule)), schedule);
  }
  EXPECT_STREQ(to_string(one_shot), "one-shot");
  try {
    parse_pruning_schedule("linear");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("one-shot, exact, compounding or cubic, got 'linear'"),
              std::string::npos);
  }
}

TEST(PruningSchedule, BadTargetsAndStepsAreRejected) {
  for (const PruningSchedule schedule : {exact, compounding, cubic}) {
    for (const double target : {0.0, 1.0, -0.5, std::nan("")}) {
      EXPECT_THROW(pruning_steps(schedule, Method::magnitude, target), std::invalid_argument)
          << target;
    }
    for (const double step : {0.0, -0.1, 1.0, 1e-9, std::nan("")}) {
      EXPECT_THROW(pruning_steps(schedule, Method::channel, 0.5, {.step = step}),
                   std::invalid_argument);
    }
  }
  EXPECT_THROW(pruning_steps(cubic, Method::magnitude, 0.5, {.cubic_steps = 0}),
               std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
