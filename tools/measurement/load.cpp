#include "tools/measurement/load.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "engine/base/cores.h"

namespace edgeprune {
namespace {

double own_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

/// All threads' together.
int64_t involuntary_switches() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

/// "cpu3" is processor 3, and "cpu" all of them.
bool is_usable(const std::string& name) {
  if (!name.starts_with("cpu") || name.size() == 3) return false;
  return std::ranges::binary_search(usable_processors(), std::atoi(name.c_str() + 3));
}

}  // namespace

LoadWatch::LoadWatch(std::string root)
    : root_(std::move(root)),
      start_(Clock::now()),
      all_(all_programs()),
      own_(own_seconds()),
      switches_(involuntary_switches()) {}

std::optional<LoadWatch::Busy> LoadWatch::all_programs() const {
  std::ifstream file(root_ + "/proc/stat");
  Busy ticks;
  size_t found = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    double user, nice, system, idle, waiting, irq, soft_irq, stolen;
    fields >> name >> user >> nice >> system >> idle >> waiting >> irq >> soft_irq >> stolen;
    if (!fields || !is_usable(name)) continue;
    ticks.all += user + nice + system + irq + soft_irq + stolen;
    ticks.stolen += stolen;
    ++found;
  }
  if (found < usable_processors().size()) return {};
  const auto a_second = double(::sysconf(_SC_CLK_TCK));
  return Busy{ticks.all / a_second, ticks.stolen / a_second};
}

Load LoadWatch::load() const {
  Load load{.others = {},
            .stolen = {},
            .switches = involuntary_switches() - switches_,
            .processors = static_cast<int>(usable_processors().size())};
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const auto now = all_programs();
  if (!now || !all_ || seconds < 0.5) return load;
  load.others = std::max(0.0, ((now->all - all_->all) - (own_seconds() - own_)) / seconds);
  load.stolen = std::max(0.0, (now->stolen - all_->stolen) / seconds);
  return load;
}

}  // namespace edgeprune
