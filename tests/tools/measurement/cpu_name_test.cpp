#include "tools/measurement/cpu_name.h"

#include <gtest/gtest.h>

#include <sstream>

namespace edgeprune {
namespace {

std::string name_in(const std::string& text) {
  std::istringstream cpuinfo(text);
  return cpu_name(cpuinfo);
}

std::string core(const std::string& implementer, const std::string& part) {
  return "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: " + implementer +
         "\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: " + part +
         "\nCPU revision\t: 3\n\n";
}

TEST(CpuName, IsTheFirstModelName) {
  EXPECT_EQ(name_in("processor\t: 0\nmodel\t\t: 17\nmodel name\t: Sample: 9000\nmodel name\t: b\n"),
            "Sample: 9000");
  EXPECT_EQ(name_in("Model name:              Cortex-A72\n"), "Cortex-A72");
}

TEST(CpuName, IsTheCoresOnArm) {
  EXPECT_EQ(name_in(core("0x41", "0xd08") + core("0x41", "0xd08")), "Cortex-A72");
  EXPECT_EQ(name_in(core("0x41", "0xd0c") + "Revision\t: c03111\n"), "Neoverse-N1");
  EXPECT_EQ(name_in(core("0x41", "0xd05") + core("0x41", "0xd0b") + core("0x41", "0xd05")),
            "Cortex-A55 + Cortex-A76");
}

TEST(CpuName, OfAnUnknownArmCoreIsItsNumbers) {
  EXPECT_EQ(name_in(core("0x61", "0x022")), "ARM implementer 0x61 part 0x022");
  EXPECT_EQ(name_in(core("0x9", "0xd08")), "ARM implementer 0x09 part 0xd08")
      << "another maker's part of the same number";
}

TEST(CpuName, IsUnknownWhereNothingTells) {
  EXPECT_EQ(name_in(""), "unknown CPU");
  EXPECT_EQ(name_in(": \nmodel name\t:\nno colon\n"), "unknown CPU");
}

}  // namespace
}  // namespace edgeprune
