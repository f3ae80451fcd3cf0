#include "engine/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace edgeprune::optim {
namespace {

TEST(Schedule, ConstantStays) {
  const Schedule schedule{.initial = 0.5f};
  EXPECT_EQ(schedule.rate(0), 0.5f);
  EXPECT_EQ(schedule.rate(1000000), 0.5f);
}

TEST(Schedule, CosineFallsFromTheInitialRateToZero) {
  const Schedule schedule{.kind = Schedule::Kind::cosine, .initial = 0.2f, .total_steps = 100};
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.2f);
  EXPECT_NEAR(schedule.rate(25), 0.1 * (1 + std::sqrt(0.5)), 1e-7);
  EXPECT_NEAR(schedule.rate(50), 0.1, 1e-7);
  EXPECT_NEAR(schedule.rate(100), 0, 1e-9);
  EXPECT_NEAR(schedule.rate(150), 0, 1e-9) << "no restart";
  for (int step = 1; step <= 100; ++step) EXPECT_LT(schedule.rate(step), schedule.rate(step - 1));
}

TEST(Schedule, StepDecaysByWholeIntervals) {
  const Schedule schedule{
      .kind = Schedule::Kind::step, .initial = 1.0f, .steps_per_decay = 10, .decay = 0.5f};
  EXPECT_FLOAT_EQ(schedule.rate(0), 1.0f);
  EXPECT_FLOAT_EQ(schedule.rate(9), 1.0f);
  EXPECT_FLOAT_EQ(schedule.rate(10), 0.5f);
  EXPECT_FLOAT_EQ(schedule.rate(35), 0.125f);
}

TEST(Schedule, CanBeginInItsMiddle) {
  for (const Schedule::Kind kind : values_in(kScheduleNames)) {
    Schedule whole{.kind = kind, .initial = 0.5f, .total_steps = 100, .steps_per_decay = 30};
    Schedule end = whole;
    end.first_step = 60;
    for (const int64_t step : {0, 1, 29, 39}) EXPECT_EQ(end.rate(step), whole.rate(60 + step));
  }
}

TEST(Schedule, NoStepsAtAllAreNoReasonToDivideByZero) {
  EXPECT_TRUE(std::isfinite(Schedule{.kind = Schedule::Kind::cosine, .total_steps = 0}.rate(0)));
  EXPECT_TRUE(std::isfinite(Schedule{.kind = Schedule::Kind::step, .steps_per_decay = 0}.rate(0)));
}

TEST(Schedule, NamesAreParsed) {
  EXPECT_EQ(parse_schedule("constant"), Schedule::Kind::constant);
  EXPECT_EQ(parse_schedule("cosine"), Schedule::Kind::cosine);
  EXPECT_EQ(parse_schedule("step"), Schedule::Kind::step);
  for (const std::string& name : names_of(kScheduleNames)) {
    EXPECT_EQ(to_string(parse_schedule(name)), name);
  }
  try {
    parse_schedule("linear");
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("constant, cosine or step, got 'linear'"),
              std::string::npos)
        << error.what();
  }
}

TEST(Schedule, WarmUpRisesInALine) {
  Schedule schedule{.initial = 0.4f, .warm_up_steps = 4};
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.1f);
  EXPECT_FLOAT_EQ(schedule.rate(2), 0.3f);
  EXPECT_EQ(schedule.rate(3), 0.4f);
  EXPECT_EQ(schedule.rate(4), 0.4f);
  schedule.kind = Schedule::Kind::cosine;
  schedule.total_steps = 8;
  EXPECT_FLOAT_EQ(schedule.rate(4), 0.2f) << "the schedule itself is not put off";
}

}  // namespace
}  // namespace edgeprune::optim
