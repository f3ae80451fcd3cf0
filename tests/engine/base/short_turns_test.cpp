#include "engine/base/short_turns.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <thread>

#include "engine/base/cores.h"

namespace edgeprune {
namespace {

TEST(ShortTurns, ChangeNothingElse) {
  std::thread([] {  // a thread of its own has a priority of its own
    const auto self = static_cast<id_t>(::syscall(SYS_gettid));
    ASSERT_EQ(::setpriority(PRIO_PROCESS, self, 7), 0);
    const bool short_turns = take_short_turns();
    EXPECT_EQ(::getpriority(PRIO_PROCESS, self), 7);
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
    EXPECT_EQ(take_short_turns(), short_turns);
  })
      .join();
}

TEST(ShortTurns, AreForTheNormalPolicyAlone) {
  std::thread([] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
    EXPECT_FALSE(take_short_turns());
    EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
  }).join();
}

TEST(Turns, SayHowLongAThreadWasStoppedForAnother) {
  if (!own_turns()) GTEST_SKIP() << "the kernel keeps no such accounts";
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const auto spin = [] {
    EXPECT_EQ(bind_to(std::array{usable_processors().front()}), 0);
    const Turns before = *own_turns();
    const auto begin = Clock::now();
    while (Clock::now() - begin < std::chrono::milliseconds(200)) {
    }
    const Milliseconds wall = Clock::now() - begin;
    const Turns after = *own_turns();
    const auto milliseconds = [](int64_t nanoseconds) { return 1e-6 * double(nanoseconds); };
    const double ran = milliseconds(after.ran - before.ran);
    const double stopped = milliseconds(after.stopped - before.stopped);
    EXPECT_GT(stopped, 0.2 * wall.count());  // half of it, if there is nobody else
    EXPECT_NEAR(ran + stopped, wall.count(), 0.1 * wall.count());
  };
  std::thread other(spin);
  std::thread(spin).join();
  other.join();
}

}  // namespace
}  // namespace edgeprune
