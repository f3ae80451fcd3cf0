#include "tools/measurement/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/base/buffer.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

/// The number behind `key`, at the start of a line; nothing if there is no such file, line or
/// number ("max").
std::optional<int64_t> number_in(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(key)) continue;
    try {
      return std::stoll(line.substr(key.size()));
    } catch (const std::logic_error&) {
      return {};
    }
  }
  return {};
}

std::optional<int64_t> kilobytes_in(const fs::path& path, const std::string& key) {
  const auto number = number_in(path, key);
  return number ? std::optional(*number * 1024) : number;
}

/// The files of a control group: names differ between the kernel's two interfaces.
struct GroupFiles {
  const char *folder, *limit, *usage, *cache;
};
constexpr GroupFiles kVersion1{"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                               "memory.usage_in_bytes", "total_inactive_file "};
constexpr GroupFiles kVersion2{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "};

class Least {
 public:
  void of(std::optional<int64_t> bytes) {
    if (bytes) least_ = std::max<int64_t>(0, std::min(least_.value_or(*bytes), *bytes));
  }
  std::optional<int64_t> get() const { return least_; }

 private:
  std::optional<int64_t> least_;
};

/// What each group on the way from the process's own to the root leaves: any of them may be the
/// tightest. (In a container the path may be the host's, of which only the root is to be seen.)
void add_groups(const fs::path& root, Least& least) {
  std::ifstream groups(root / "proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {  // "4:memory:/some/group", or "0::/some/group"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers != "memory") continue;
    const GroupFiles& files = controllers.empty() ? kVersion2 : kVersion1;
    for (fs::path group = fs::path(line.substr(second + 1)).relative_path();;
         group = group.parent_path()) {
      const fs::path folder = root / files.folder / group;
      const auto limit = number_in(folder / files.limit, "");
      const auto usage = number_in(folder / files.usage, "");
      if (limit && usage) {
        const auto cache = number_in(folder / "memory.stat", files.cache);
        least.of(*limit - std::max<int64_t>(0, *usage - cache.value_or(0)));
      }
      if (group.empty()) break;
    }
  }
}

void add_own_limit(int resource, std::optional<int64_t> used, Least& least) {
  rlimit limit{};
  if (used && getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    least.of(static_cast<int64_t>(limit.rlim_cur) - *used);
  }
}

}  // namespace

std::optional<int64_t> available_memory(const std::string& root) {
  const fs::path base = root + "/", status = base / "proc/self/status";
  Least least;
  least.of(kilobytes_in(base / "proc/meminfo", "MemAvailable:"));
  add_groups(base, least);
  add_own_limit(RLIMIT_AS, kilobytes_in(status, "VmSize:"), least);
  add_own_limit(RLIMIT_DATA, kilobytes_in(status, "VmData:"), least);
  const auto bytes = least.get();
  return bytes ? std::optional(*bytes + int64_t(buffer_stats().bytes_pooled)) : bytes;
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

void refuse_more_than_available_memory() {
  const auto available = available_memory();
  const auto used = kilobytes_in("/proc/self/status", "VmData:");
  rlimit limit{};
  if (!available || !used || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = std::min(limit.rlim_cur, static_cast<rlim_t>(*used + *available / 10 * 9));
  setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace edgeprune
