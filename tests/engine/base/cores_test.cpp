#include "engine/base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/paths.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

/// A folder that stands for / with these files.
struct System {
  explicit System(const std::vector<std::pair<std::string, std::string>>& files) {
    for (const auto& [name, text] : files) {
      fs::create_directories(fs::path(folder.file(name)).parent_path());
      std::ofstream(folder.file(name)) << text << "\n";
    }
  }
  int cores() const { return usable_cores(folder.path()); }
  testing::TemporaryFolder folder;
};

int all() {
  return static_cast<int>(usable_processors().size());
}

TEST(UsableCores, AreThoseOfTheAffinityMaskWithoutAQuota) {
  EXPECT_GE(all(), 1);
  EXPECT_EQ(System({}).cores(), all());
  EXPECT_EQ(System({{"proc/self/cgroup", "0::/"}, {"sys/fs/cgroup/cpu.max", "max 100000"}}).cores(),
            all());
}

TEST(UsableCores, NoMoreThanTheQuotaAllowsRoundedUp) {
  const auto with = [](const std::string& quota) {
    return System({{"proc/self/cgroup", "0::/job"}, {"sys/fs/cgroup/job/cpu.max", quota}}).cores();
  };
  EXPECT_EQ(with("100000 100000"), 1);
  EXPECT_EQ(with("20000 100000"), 1);
  EXPECT_EQ(with("101000 100000"), std::min(2, all()));
  EXPECT_EQ(with("6400000 100000"), std::min(64, all()));
  EXPECT_EQ(with("nonsense"), all());
}

TEST(UsableCores, TheSmallestQuotaOfAllGroupsAroundCounts) {
  EXPECT_EQ(System({{"proc/self/cgroup", "0::/outer/inner"},
                    {"sys/fs/cgroup/outer/cpu.max", "50000 100000"},
                    {"sys/fs/cgroup/outer/inner/cpu.max", "max 100000"}})
                .cores(),
            1);
  // In a container /proc may name the host's path, which is not there.
  EXPECT_EQ(
      System({{"proc/self/cgroup", "0::/docker/abc"}, {"sys/fs/cgroup/cpu.max", "100000 100000"}})
          .cores(),
      1);
}

TEST(UsableCores, KnowVersionOneOfCgroups) {
  const auto with = [](const std::string& quota) {
    return System({{"proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/job"},
                   {"sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", quota},
                   {"sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000"}})
        .cores();
  };
  EXPECT_EQ(with("100000"), 1);
  EXPECT_EQ(with("-1"), all());
}

TEST(AffinityMask, IsTheThreadsOwnNow) {
  const std::vector<int> before = affinity_mask();
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(before.back(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(affinity_mask(), std::vector<int>{before.back()});
    EXPECT_EQ(usable_processors(), before);
  }).join();
}

TEST(Processors, AThreadLeavesThoseThatAreTakenAndMayComeBack) {
  const std::vector<int> all = affinity_mask();
  if (all.size() < 2) GTEST_SKIP() << "there is one processor";
  std::thread([&] {
    int elsewhere = 0;
    constexpr int kTimes = 20;
    for (int i = 0; i < kTimes; ++i) {
      ASSERT_EQ(bind_to(std::array{all.front()}), 0);
      ASSERT_EQ(sched_getcpu(), all.front());
      ASSERT_EQ(bind_to(all), 0);
      leave_processors(std::array{all.front()});
      elsewhere += sched_getcpu() != all.front();
      EXPECT_EQ(affinity_mask(), all);
    }
    EXPECT_GT(elsewhere, kTimes / 2) << "the system may put it back, but not at once";
  }).join();
}

TEST(Processors, AThreadStaysWhereAllAreTaken) {
  const std::vector<int> all = affinity_mask();
  leave_processors(all);
  EXPECT_EQ(affinity_mask(), all);
}

TEST(Processors, OneThatDoesNotExistIsRefused) {
  EXPECT_EQ(bind_to(std::vector<int>{}), EINVAL);
  EXPECT_EQ(bind_to(std::array{8191}), EINVAL);
}

}  // namespace
}  // namespace edgeprune
