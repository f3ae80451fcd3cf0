#include "tools/measurement/machine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/base/cores.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

TEST(Machine, ReadsModelAndGovernor) {
  const testing::TemporaryFolder root;
  std::filesystem::create_directories(root.file("proc"));
  std::filesystem::create_directories(root.file("sys/devices/system/cpu/cpu0/cpufreq"));
  std::ofstream(root.file("proc/cpuinfo"))
      << "processor\t: 0\nmodel\t\t: 17\nmodel name\t: Sample CPU: 9000\nmodel name\t: other\n";
  std::ofstream(root.file("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) << "powersave\n";
  const Machine machine = this_machine(root.path());
  EXPECT_EQ(machine.cpu, "Sample CPU: 9000");
  EXPECT_EQ(machine.governor, "powersave");
  EXPECT_EQ(machine.cores, usable_cores());
  EXPECT_EQ(machine.build, build_description());
}

TEST(Machine, SaysWhatTheKernelDoesNotTell) {
  const testing::TemporaryFolder root;
  const Machine machine = this_machine(root.path());
  EXPECT_EQ(machine.cpu, "unknown CPU");
  EXPECT_EQ(machine.governor, "unknown");
}

}  // namespace
}  // namespace edgeprune
