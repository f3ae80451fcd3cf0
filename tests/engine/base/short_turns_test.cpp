#include "engine/base/short_turns.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

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

}  // namespace
}  // namespace edgeprune
