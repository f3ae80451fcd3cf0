#include "tools/measurement/load.h"

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

/// "cpu3" is processor 3, and "cpu" all of them.
bool is_usable(const std::string& name) {
  if (!name.starts_with("cpu") || name.size() == 3) return false;
  return std::ranges::binary_search(usable_processors(), std::atoi(name.c_str() + 3));
}

}  // namespace

LoadWatch::LoadWatch(std::string root)
    : root_(std::move(root)), start_(Clock::now()), all_(all_programs()), own_(own_seconds()) {}

std::optional<double> LoadWatch::all_programs() const {
  std::ifstream file(root_ + "/proc/stat");
  double ticks = 0;
  size_t found = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    double user, nice, system, idle, waiting, irq, soft_irq, stolen;
    fields >> name >> user >> nice >> system >> idle >> waiting >> irq >> soft_irq >> stolen;
    if (!fields || !is_usable(name)) continue;
    ticks += user + nice + system + irq + soft_irq + stolen;
    ++found;
  }
  if (found < usable_processors().size()) return {};
  return ticks / double(::sysconf(_SC_CLK_TCK));
}

std::optional<double> LoadWatch::others() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const auto all = all_programs();
  if (!all || !all_ || seconds < 0.5) return {};
  return std::max(0.0, ((*all - *all_) - (own_seconds() - own_)) / seconds);
}

}  // namespace edgeprune
