#include "tools/measurement/load.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/base/cores.h"
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

double own_cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

// With counts of the test's own making, as what others really do wavers.
TEST(LoadWatch, LeavesOutThisProcess) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(folder.file("proc"));
  const auto all_programs = [&](long ticks) {  // on each of the processors, in two of the columns
    std::ofstream file(folder.file("proc/stat"));
    file << "cpu  9 9 9 9 9 9 9 9 0 0\n";
    for (const int processor : usable_processors()) {
      file << "cpu" << processor << " " << ticks / 2 << " 0 0 77 0 0 0 " << ticks / 2 << " 0 0\n";
    }
  };
  all_programs(1000);
  const Stopwatch watch;
  const double before = own_cpu_seconds();
  const LoadWatch load(folder.path());
  spin(0.7);
  all_programs(1000 + 2 * ::sysconf(_SC_CLK_TCK));  // two seconds on each
  const double own = own_cpu_seconds() - before, seconds = watch.seconds();
  const double expected = (2.0 * double(usable_processors().size()) - own) / seconds;
  EXPECT_NEAR(load.others().value(), expected, 0.05 * expected);
  const double stolen = double(usable_processors().size()) / seconds;  // half of them
  EXPECT_NEAR(load.load().stolen.value(), stolen, 0.05 * stolen);
}

TEST(LoadWatch, CountsWhenItsCoreIsTaken) {
  // Two threads on one core have to take it from each other.
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  CPU_SET(usable_processors().front(), &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  const LoadWatch load;
  std::thread other([] { spin(0.3); });
  spin(0.3);
  other.join();
  EXPECT_GT(load.load().switches, 3);
  ::sched_setaffinity(0, sizeof before, &before);
}

TEST(LoadWatch, SaysNothingAfterTooShortATime) {
  EXPECT_FALSE(LoadWatch().others());
}

TEST(LoadWatch, SaysNothingWithoutTheKernelsCounts) {
  const testing::TemporaryFolder folder;
  const LoadWatch load(folder.path());
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_FALSE(load.others());
  EXPECT_EQ(load.load().processors, std::ssize(usable_processors()));
}

}  // namespace
}  // namespace edgeprune
