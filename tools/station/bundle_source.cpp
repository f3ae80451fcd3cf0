#include "tools/station/bundle_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>
#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/station/bundle/counters.h"

namespace edgeprune::station {
namespace {

std::string good(const ModelConfig& config) {
  return config.bundle + ".good";
}
std::string candidate(const ModelConfig& config) {
  return config.bundle + ".candidate";
}
std::string refused(const ModelConfig& config) {
  return config.bundle + ".refused";
}

/// The counter in a file of nothing else; 0 if there is none.
int64_t counter_in(const std::string& path) {
  if (!std::filesystem::exists(path)) return 0;
  const std::vector<char> text = read_file(path);
  int64_t counter = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), counter);
  require_file(error == std::errc() && std::string_view(end, text.data() + text.size()) == "\n",
               path, "expected a counter and nothing else");
  return counter;
}

std::vector<std::string> names_of(const Policy& policy) {
  std::vector<std::string> names;
  for (const ClassRule& rule : policy.classes) names.push_back(rule.name);
  return names;
}

}  // namespace

BundleSource::Stamp BundleSource::stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {static_cast<int64_t>(status.st_dev), static_cast<int64_t>(status.st_ino),
          status.st_mtim.tv_sec * int64_t{1000000000} + status.st_mtim.tv_nsec, status.st_size};
}

BundleSource::BundleSource(const ModelConfig& config, std::vector<std::string>& classes)
    : config_(config) {
  const Counters counters = read_counters(config.counters);
  const auto accepted = counters.find(config.product);
  highest_ = accepted == counters.end() ? 0 : accepted->second;
  refused_ = counter_in(refused(config));
  seen_ = stamp_of(config.bundle);
  const Bundle bundle = first();
  if (bundle.manifest.counter > highest_) {
    const std::vector<char> bytes = read_file(config.bundle);
    write_file_atomically(good(config), {bytes.data(), bytes.size()});
    activated(bundle.manifest.counter);
  }
  classes = classes_ = names_of(bundle.policy);
  judge_ = judge_of(bundle);
}

Bundle BundleSource::first() {
  // The active one opens again: its counter is the highest that was accepted.
  const int64_t accepted = std::max<int64_t>(highest_ - 1, 0);
  const bool has_good = std::filesystem::exists(good(config_));
  try {
    Bundle bundle = open(config_.bundle, accepted);
    require_file(refused_ == 0 || bundle.manifest.counter != refused_, config_.bundle,
                 "its model was refused when it was tried");
    return bundle;
  } catch (const FileError& error) {
    if (!has_good) throw;
    remark_ = fmt::format("{}; running {}", error.what(), good(config_));
  }
  // Lower than the highest is the good one only where that one decided for a while and was given up.
  return open(good(config_), refused_ == highest_ ? 0 : accepted);
}

Bundle BundleSource::open(const std::string& path, int64_t accepted_counter) const {
  Acceptance acceptance;
  acceptance.root_key = config_.root_key;
  acceptance.product = config_.product;
  acceptance.accepted_counter = accepted_counter;
  acceptance.classes = classes_;
  Bundle bundle = open_bundle(path, acceptance);
  check_golden(bundle, config_.engine);
  return bundle;
}

std::shared_ptr<Judge> BundleSource::judge_of(const Bundle& bundle) const {
  return std::make_shared<Judge>(bundle.checkpoint, bundle.policy, config_.engine, config_.threads);
}

std::optional<BundleSource::Newcomer> BundleSource::poll() {
  const Stamp now = stamp_of(config_.bundle);
  if (now == seen_ || now == Stamp{}) return std::nullopt;
  seen_ = now;
  // A copy, so that what was verified is what is kept as good, whatever comes to that path meanwhile.
  const std::vector<char> bytes = read_file(config_.bundle);
  write_file_atomically(candidate(config_), {bytes.data(), bytes.size()});
  const Bundle bundle = open(candidate(config_), std::max(highest_, refused_));
  return Newcomer{judge_of(bundle), bundle.manifest.counter};
}

void BundleSource::activated(int64_t counter) {
  highest_ = counter;
  Counters counters = read_counters(config_.counters);
  counters[config_.product] = counter;
  write_counters(config_.counters, counters);
}

void BundleSource::proved(int64_t counter) {
  if (counter != highest_) return;  // another is there already
  std::error_code error;
  std::filesystem::rename(candidate(config_), good(config_), error);
  require_file(!error, good(config_), "cannot be written: {}", error.message());
}

void BundleSource::failed(int64_t counter) {
  refused_ = counter;
  write_file_atomically(refused(config_), fmt::format("{}\n", counter));
}

}  // namespace edgeprune::station
