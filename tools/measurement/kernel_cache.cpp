#include "tools/measurement/kernel_cache.h"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/parallel.h"
#include "tools/measurement/machine.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

fs::path cache_file() {
  const auto variable = [](const char* name) -> fs::path {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  fs::path folder = variable("XDG_CACHE_HOME");
  if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") / ".cache";
  return folder.empty() ? folder : folder / "edgeprune" / "kernels.json";
}

/// Everything that times depend on besides the layer.
std::string machine_key() {
  return machine_description() + "; " + build_description() + "; " + build_commit();
}

nlohmann::json read_cache() {
  std::error_code error;
  if (cache_file().empty() || !fs::exists(cache_file(), error)) return nlohmann::json::object();
  try {
    const std::string path = cache_file().string();
    const std::vector<char> text = read_file(path);
    auto json = parse_json({text.data(), text.size()}, path);
    if (json.is_object()) return json;
  } catch (const std::exception&) {  // unreadable or damaged: as good as none
  }
  return nlohmann::json::object();
}

constexpr const char* kRates = "rates";  // beside the times, which are numbers

std::function<void(const std::string&)>& progress_of_timing() {
  static std::function<void(const std::string&)> progress;
  return progress;
}

bool is_read = false;  // the cache, which most commands do without

struct Cache {
  inference::KernelChoices choices;
  size_t saved = 0;  // how many of them the file has
  std::map<std::string, double> rates, saved_rates;

  Cache() {
    is_read = true;
    choices.progress = progress_of_timing();
    const nlohmann::json all = read_cache();
    const auto machine = all.find(machine_key());
    if (machine == all.end() || !machine->is_object()) return;
    for (const auto& [what, times] : machine->items()) {
      if (what == kRates && times.is_object()) take_rates(times);
      if (times.is_number()) choices.times[what] = times.get<double>();
    }
    saved = choices.times.size();
    saved_rates = rates;
  }

  void take_rates(const nlohmann::json& json) {
    for (const auto& [name, rate] : json.items()) {
      if (rate.is_number()) rates[name] = rate.get<double>();
    }
  }
};

Cache& cache() {
  static Cache instance;
  return instance;
}

}  // namespace

inference::KernelChoices& kernel_choices() {
  return cache().choices;
}

std::map<std::string, double>& best_rates() {
  return cache().rates;
}

void tell_what_is_timed(std::function<void(const std::string&)> progress) {
  progress_of_timing() = std::move(progress);
  if (is_read) cache().choices.progress = progress_of_timing();
}

void forget_kernel_choices() {
  cache().choices.times.clear();
  cache().saved = 0;
}

void save_kernel_choices() {
  if (!is_read) return;
  const auto& times = cache().choices.times;
  const auto& rates = cache().rates;
  const bool nothing_new = times.size() == cache().saved && rates == cache().saved_rates;
  if (nothing_new || cache_file().empty()) return;
  nlohmann::json all = read_cache();
  nlohmann::json& machine = all[machine_key()];
  for (const auto& [what, seconds] : times) machine[what] = seconds;
  for (const auto& [name, rate] : rates) machine[kRates][name] = rate;
  try {
    fs::create_directories(cache_file().parent_path());
    write_file_atomically(cache_file().string(), all.dump(1) + "\n");
    cache().saved = times.size();
    cache().saved_rates = rates;
  } catch (const std::exception&) {
  }
}

}  // namespace edgeprune
