#include "tools/measurement/energy.h"

#include <time.h>

#include <filesystem>
#include <fstream>

namespace edgeprune {
namespace {

template <typename Value>
std::optional<Value> read_value(const std::string& path) {
  std::ifstream file(path);
  Value value{};
  return file >> value ? std::optional(value) : std::nullopt;
}

}  // namespace

double cpu_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * double(now.tv_sec) + 1e-6 * double(now.tv_nsec);
}

EnergyMeter::EnergyMeter(const std::string& root) {
  std::error_code error;
  for (const auto& zone :
       std::filesystem::directory_iterator(root + "/sys/class/powercap", error)) {
    const std::string path = zone.path().string();
    const auto name = read_value<std::string>(path + "/name");
    // Others are parts of a package (cores, memory), or the whole machine.
    if (!name || !name->starts_with("package")) continue;
    const auto now = read_value<uint64_t>(path + "/energy_uj"),
               range = read_value<uint64_t>(path + "/max_energy_range_uj");
    if (!now || !range) {
      packages_.clear();  // the energy of some packages is nobody's answer
      return;
    }
    packages_.push_back({path + "/energy_uj", *range, *now});
  }
}

std::optional<double> EnergyMeter::joules() {
  if (!readable()) return {};
  for (Package& package : packages_) {
    const uint64_t now = read_value<uint64_t>(package.counter).value_or(package.last);
    const uint64_t round = now < package.last ? package.range : 0;
    joules_ += 1e-6 * double(now + round - package.last);
    package.last = now;
  }
  return joules_;
}

}  // namespace edgeprune
