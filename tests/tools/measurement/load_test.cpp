#include "tools/measurement/load.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "engine/base/timer.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

void spin(double seconds) {
  const Stopwatch watch;
  while (watch.seconds() < seconds) {
  }
}

TEST(LoadWatch, SeesAnotherProcess) {
  const LoadWatch load;
  const pid_t other = ::fork();
  if (other == 0) {
    spin(60);  // killed long before
    ::_exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  const auto others = load.others();
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  ASSERT_TRUE(others);
  EXPECT_GT(*others,
            0.3);  // on a busy machine it gets a part of a core, and the rest is others', too
}

TEST(LoadWatch, LeavesOutThisProcess) {
  const LoadWatch load;
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  const double idle = load.others().value();
  const LoadWatch busy;
  spin(1);
  // What others do wavers; a whole core of one's own would show.
  EXPECT_LT(busy.others().value(), std::max(idle, 0.05) + 0.9);
}

TEST(LoadWatch, SaysNothingAfterTooShortATime) {
  EXPECT_FALSE(LoadWatch().others());
}

TEST(LoadWatch, SaysNothingWithoutTheKernelsCounts) {
  const testing::TemporaryFolder folder;
  const LoadWatch load(folder.path());
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_FALSE(load.others());
}

}  // namespace
}  // namespace edgeprune
