#include "engine/base/cores.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

/// Larger than any machine's: sched_getaffinity() fails where the kernel's mask does not fit.
constexpr int kProcessors = 8192;

struct Processors {
  std::array<cpu_set_t, kProcessors / CPU_SETSIZE> sets{};

  void add(int processor) {
    if (processor >= 0 && processor < kProcessors) CPU_SET_S(processor, sizeof(sets), sets.data());
  }
  void remove(int processor) {
    if (processor >= 0 && processor < kProcessors) CPU_CLR_S(processor, sizeof(sets), sets.data());
  }
  bool has(int processor) const { return CPU_ISSET_S(processor, sizeof(sets), sets.data()); }
  bool empty() const { return CPU_COUNT_S(sizeof(sets), sets.data()) == 0; }

  /// The calling thread's; false if the system does not say.
  bool get() { return sched_getaffinity(0, sizeof(sets), sets.data()) == 0; }
  bool set() const { return sched_setaffinity(0, sizeof(sets), sets.data()) == 0; }
};

/// Before main(), where threads may be bound.
std::vector<int> at_start = affinity_mask();

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// "QUOTA PERIOD" in one file (version 2; the quota may be "max"), or in two (version 1; -1 is no
/// limit).
double quota_in(const fs::path& folder) {
  std::string quota;
  double period = 0;
  if (std::ifstream both(folder / "cpu.max"); both) {
    both >> quota >> period;
  } else {
    std::ifstream(folder / "cpu.cfs_quota_us") >> quota;
    std::ifstream(folder / "cpu.cfs_period_us") >> period;
  }
  const double microseconds = std::atof(quota.c_str());
  return microseconds > 0 && period > 0 ? microseconds / period : kNoLimit;
}

/// The smallest quota from the cgroup up to the hierarchy's root. Inside a container the path of
/// /proc/self/cgroup may not exist there: then the root is the container's own.
double smallest_quota(const fs::path& hierarchy, const std::string& cgroup) {
  double smallest = quota_in(hierarchy);
  for (fs::path path = fs::path(cgroup).relative_path(); !path.empty(); path = path.parent_path()) {
    smallest = std::min(smallest, quota_in(hierarchy / path));
  }
  return smallest;
}

double cgroup_quota(const std::string& root) {
  double smallest = kNoLimit;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "0::/path", "4:cpu,cpuacct:/path"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string cgroup = line.substr(second + 1);
    if (controllers == ",,") {
      smallest = std::min(smallest, smallest_quota(root + "/sys/fs/cgroup", cgroup));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      smallest = std::min(smallest, smallest_quota(root + "/sys/fs/cgroup/cpu", cgroup));
    }
  }
  return smallest;
}

}  // namespace

std::vector<int> affinity_mask() {
  Processors mask;
  std::vector<int> processors;
  if (mask.get()) {
    for (int i = 0; i < kProcessors; ++i) {
      if (mask.has(i)) processors.push_back(i);
    }
  }
  if (processors.empty()) processors.push_back(0);
  return processors;
}

const std::vector<int>& usable_processors() {
  return at_start;
}

void set_usable_processors(std::vector<int> processors) {
  at_start = std::move(processors);
}

int usable_cores(const std::string& root) {
  const auto cores = static_cast<double>(usable_processors().size());
  return static_cast<int>(std::max(1.0, std::min(cores, std::ceil(cgroup_quota(root)))));
}

int bind_to(std::span<const int> processors) {
  Processors mask;
  for (const int processor : processors) mask.add(processor);
  return mask.set() ? 0 : errno;
}

void leave_processors(std::span<const int> taken) {
  Processors all;
  if (!all.get()) return;
  Processors free = all;
  for (const int processor : taken) free.remove(processor);
  if (!free.empty() && free.set()) all.set();
}

}  // namespace edgeprune
