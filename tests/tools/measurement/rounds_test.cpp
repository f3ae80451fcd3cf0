#include "tools/measurement/rounds.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "engine/base/random.h"
#include "engine/base/timer.h"
#include "tools/cli/interrupt.h"

namespace edgeprune {
namespace {

/// Times of the test's own making, a function of how many turns there were.
Competitor competitor(std::function<double(int)> time, size_t reference = 0) {
  return {[time = std::move(time), turn = 0]() mutable { return time(turn++); }, reference};
}

Competitor always(double time, size_t reference = 0) {
  return competitor([=](int) { return time; }, reference);
}

/// A time that scatters by some percent around a middle one.
Competitor scattering(double time, double share, uint64_t stream) {
  return competitor([time, share, rng = Rng(1, stream)](int) mutable {
    return time * (1 + share * rng.normal());
  });
}

/// No clock has a say.
RoundLimits up_to(int64_t rounds) {
  RoundLimits limits;
  limits.most = rounds;
  limits.seconds = std::numeric_limits<double>::infinity();
  return limits;
}

TEST(Rounds, AFactorIsTheReferencesTimeOverTheOwn) {
  const Rounds rounds = take_turns({always(6), always(2), always(12)}, up_to(1000));
  EXPECT_EQ(rounds.factors[0].median, 1);
  EXPECT_EQ(rounds.factors[1].median, 3);
  EXPECT_EQ(rounds.factors[1].low, 3);
  EXPECT_EQ(rounds.factors[1].high, 3);
  EXPECT_EQ(rounds.factors[2].median, 0.5);
  EXPECT_EQ(rounds.factors[1].rounds, 15) << "narrow at once, and no fewer than 15";
  EXPECT_EQ(rounds.times[2], std::vector<double>(15, 12.0));
  EXPECT_FALSE(rounds.capped);
}

TEST(Rounds, EachIsComparedWithItsOwnReference) {
  const Rounds rounds = take_turns({always(6), always(2), always(8, 2), always(2, 2)}, up_to(1000));
  EXPECT_EQ(rounds.factors[1].median, 3);
  EXPECT_EQ(rounds.factors[2].median, 1);
  EXPECT_EQ(rounds.factors[3].median, 4);
}

TEST(Rounds, WhatSlowsBothDownCancels) {
  // Within 40 rounds the machine gets five times as slow, in steps and in waves.
  const auto drift = [](int turn) {
    return (1 + 0.1 * turn) * (turn % 7 == 3 ? 1.8 : 1) * (1 + 0.3 * std::sin(turn));
  };
  const Rounds rounds = take_turns({competitor([=](int turn) { return 5 * drift(turn); }),
                                    competitor([=](int turn) { return 2 * drift(turn); })},
                                   up_to(40));
  EXPECT_NEAR(rounds.factors[1].median, 2.5, 1e-12);
  EXPECT_NEAR(rounds.factors[1].low, 2.5, 1e-12);
  EXPECT_NEAR(rounds.factors[1].high, 2.5, 1e-12);
}

TEST(Rounds, WhatDriftsWithinARoundCancelsByTheOrder) {
  // A clock that slows down by 1 % a turn, whoever has it.
  int turns = 0;
  const auto slowing = [&](double time) {
    return Competitor{[&turns, time] { return time * std::pow(1.01, turns++); }, 0};
  };
  const Rounds rounds = take_turns(
      {slowing(4), slowing(4), slowing(4), slowing(4)},
      {.least = 30, .fewest = 30, .most = 30, .seconds = std::numeric_limits<double>::infinity()});
  EXPECT_NEAR(rounds.factors[3].median, 1, 1e-3) << "1.03 one way, 0.97 the other";
}

TEST(Rounds, ADisturbedRoundMovesNothing) {
  const auto disturbed = [](int turn) { return turn == 4 ? 250.0 : 1.0; };
  const Rounds rounds = take_turns({always(2), competitor(disturbed)}, up_to(1000));
  EXPECT_EQ(rounds.factors[1].median, 2);
  EXPECT_EQ(rounds.factors[1].low, 2);
  EXPECT_EQ(rounds.factors[1].high, 2);
}

TEST(Rounds, GoOnUntilTheIntervalIsNarrow) {
  const Rounds rounds = take_turns({scattering(3, 0.1, 0), scattering(1, 0.1, 1)}, up_to(100'000));
  const Factor& factor = rounds.factors[1];
  EXPECT_FALSE(rounds.capped);
  EXPECT_LE(factor.half_width(), 0.03);
  EXPECT_GT(factor.rounds, 15);
  EXPECT_LT(factor.rounds, 1000);
  EXPECT_LT(factor.low, 3);
  EXPECT_GT(factor.high, 3);
}

TEST(Rounds, ACapThatEndsThemIsSaid) {
  const Rounds rounds = take_turns({scattering(3, 0.4, 0), scattering(1, 0.4, 1)}, up_to(20));
  EXPECT_TRUE(rounds.capped);
  EXPECT_EQ(rounds.factors[1].rounds, 20);
  EXPECT_GT(rounds.factors[1].half_width(), 0.03);
}

TEST(Rounds, TakeAtLeastTheTimeAskedFor) {
  RoundLimits limits = up_to(1'000'000);
  limits.at_least = 0.05;
  const auto slow = [](int) {  // or there were 100,000 rounds to take an interval of
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 2.0;
  };
  const Stopwatch watch;
  EXPECT_FALSE(take_turns({competitor(slow), always(1)}, limits).capped);
  EXPECT_GE(watch.seconds(), 0.05) << "though it was known from the first round on";
}

TEST(Rounds, WithoutTimeThereAreStillTheLeast) {
  RoundLimits limits;
  limits.seconds = 0;
  const Rounds rounds = take_turns({always(2), always(1)}, limits);
  EXPECT_EQ(rounds.factors[1].rounds, 5);
  EXPECT_TRUE(rounds.capped) << "five rounds are no proof";
}

TEST(Rounds, NobodyNeedsNoRounds) {
  EXPECT_TRUE(take_turns({}, {}).factors.empty());
}

TEST(Rounds, WhatMakesNoSenseIsRefused) {
  EXPECT_THROW(take_turns({always(1, 1)}, {}), std::invalid_argument);
  EXPECT_THROW(take_turns({always(1)}, {.least = 0}), std::invalid_argument);
  EXPECT_THROW(take_turns({always(1)}, {.least = 9, .most = 8}), std::invalid_argument);
  EXPECT_THROW(take_turns({always(1)}, {.seconds = -1}), std::invalid_argument);
  EXPECT_THROW(take_turns({always(1)}, {.precision = 0}), std::invalid_argument);
}

TEST(Rounds, StopOnCtrlC) {
  const InterruptGuard guard;
  ::raise(SIGINT);
  EXPECT_THROW(take_turns({always(1)}, up_to(1000)), Interrupted);
}

}  // namespace
}  // namespace edgeprune
