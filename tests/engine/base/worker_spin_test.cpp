#include "engine/base/worker_spin.h"

#include <gtest/gtest.h>

#include <optional>

namespace edgeprune {
namespace {

/// A caller whose time passes as the test says.
class Caller {
 public:
  /// The spin after so long, of which the caller ran and was stopped for these shares.
  std::chrono::microseconds after(std::chrono::milliseconds time, double ran, double stopped) {
    const auto nanoseconds = double(std::chrono::nanoseconds(time).count());
    now_ += time;
    turns_.ran += int64_t(ran * nanoseconds);
    turns_.stopped += int64_t(stopped * nanoseconds);
    return spin_.choose(now_, turns_);
  }
  std::chrono::microseconds without_account() { return spin_.choose(now_, std::nullopt); }
  bool is_due_in(std::chrono::milliseconds time) const { return spin_.is_due(now_ + time); }

 private:
  WorkerSpin::Clock::time_point now_;
  Turns turns_{};
  WorkerSpin spin_;
};

constexpr auto kTime = WorkerSpin::kEvery;

TEST(WorkerSpin, IsShortOnAQuietMachine) {
  Caller caller;
  EXPECT_EQ(caller.after(kTime, 1, 0), WorkerSpin::kShort);
  EXPECT_EQ(caller.after(kTime, 1, 0), WorkerSpin::kShort);
}

TEST(WorkerSpin, IsLongWhileTheCallerIsStoppedForHalfOfItsTime) {
  Caller caller;
  caller.after(kTime, 1, 0);
  EXPECT_EQ(caller.after(kTime, 0.5, 0.5), WorkerSpin::kLong);
  EXPECT_EQ(caller.after(kTime, 0.33, 0.67), WorkerSpin::kLong);
  EXPECT_EQ(caller.after(kTime, 1, 0), WorkerSpin::kShort);  // the other program has ended
}

TEST(WorkerSpin, IsShortWhileAProcessorIsLeftToTheCaller) {
  Caller caller;
  caller.after(kTime, 1, 0);
  EXPECT_EQ(caller.after(kTime, 0.9, 0.1), WorkerSpin::kShort);
  EXPECT_EQ(caller.after(kTime, 0.67, 0.33), WorkerSpin::kShort);  // a third of two processors
}

TEST(WorkerSpin, CountsOnlyTheTimeInWhichTheCallerWantedToRun) {
  Caller caller;
  caller.after(kTime, 1, 0);
  EXPECT_EQ(caller.after(kTime, 0.1, 0.1), WorkerSpin::kLong);  // and slept for the rest
  EXPECT_EQ(caller.after(kTime, 0, 0), WorkerSpin::kShort);
}

TEST(WorkerSpin, DoesNotJudgeByWhatWasBeforeTheFirstAccount) {
  Caller caller;
  EXPECT_EQ(caller.after(kTime, 0.5, 0.5), WorkerSpin::kShort);
  EXPECT_EQ(caller.after(kTime, 0.5, 0.5), WorkerSpin::kLong);
  EXPECT_EQ(caller.without_account(), WorkerSpin::kShort);
  EXPECT_EQ(caller.after(kTime, 0.5, 0.5), WorkerSpin::kShort);
}

TEST(WorkerSpin, AsksForAnAccountAtOnceAndThenTenTimesASecond) {
  Caller caller;
  EXPECT_TRUE(caller.is_due_in(std::chrono::milliseconds(0)));
  caller.after(kTime, 1, 0);
  EXPECT_FALSE(caller.is_due_in(std::chrono::milliseconds(99)));
  EXPECT_TRUE(caller.is_due_in(std::chrono::milliseconds(100)));
}

}  // namespace
}  // namespace edgeprune
