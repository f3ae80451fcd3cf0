#include "tools/measurement/energy.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/paths.h"

namespace edgeprune {
namespace {

class EnergyTest : public ::testing::Test {
 protected:
  void write(const std::string& zone, const std::string& file, const std::string& text) {
    const std::string path = folder_.file("sys/class/powercap/") + zone;
    std::filesystem::create_directories(path);
    std::ofstream(path + "/" + file) << text;
  }
  void write_zone(const std::string& zone, const std::string& name, int64_t microjoules) {
    write(zone, "name", name + "\n");
    write(zone, "max_energy_range_uj", "65000000\n");
    write(zone, "energy_uj", std::to_string(microjoules) + "\n");
  }
  std::string root() const { return folder_.file(""); }

  testing::TemporaryFolder folder_;
};

TEST_F(EnergyTest, IsOfAllPackagesAndOfNoPartOfOne) {
  write_zone("intel-rapl:0", "package-0", 1'000'000);
  write_zone("intel-rapl:1", "package-1", 5'000'000);
  write_zone("intel-rapl:0:0", "core", 10);
  write_zone("intel-rapl:2", "psys", 10);
  EnergyMeter meter(root());
  ASSERT_TRUE(meter.readable());
  EXPECT_EQ(meter.joules(), 0);
  write_zone("intel-rapl:0", "package-0", 3'500'000);
  write_zone("intel-rapl:1", "package-1", 5'250'000);
  write_zone("intel-rapl:0:0", "core", 2'000'000);
  EXPECT_DOUBLE_EQ(meter.joules().value(), 2.75);
}

TEST_F(EnergyTest, CountersGoRound) {
  write_zone("intel-rapl:0", "package-0", 64'000'000);
  EnergyMeter meter(root());
  write_zone("intel-rapl:0", "package-0", 500'000);
  EXPECT_DOUBLE_EQ(meter.joules().value(), 1.5);
  write_zone("intel-rapl:0", "package-0", 750'000);
  EXPECT_DOUBLE_EQ(meter.joules().value(), 1.75);
}

TEST_F(EnergyTest, WithoutCountersThereIsNone) {
  EXPECT_FALSE(EnergyMeter(root()).readable()) << "no folder";
  write_zone("intel-rapl:0", "package-0", 1);
  write("intel-rapl:1", "name", "package-1\n");
  EnergyMeter meter(root());
  EXPECT_FALSE(meter.readable()) << "of one package only";
  EXPECT_FALSE(meter.joules());
}

TEST(CpuTime, GrowsWithWork) {
  const double before = cpu_milliseconds();
  volatile double sum = 0;
  while (cpu_milliseconds() < before + 5) sum = sum + 1;
  EXPECT_GT(sum, 1000);
}

}  // namespace
}  // namespace edgeprune
