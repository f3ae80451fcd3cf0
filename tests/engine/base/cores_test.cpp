#include "engine/base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

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

}  // namespace
}  // namespace edgeprune
