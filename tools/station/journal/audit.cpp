#include "tools/station/journal/audit.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

namespace edgeprune::station {
namespace {

const std::string kFirst(64, '0');
constexpr const char* kCutShort = "the line before was cut short";

std::string hash_of(std::string_view line) {
  Digest digest;
  digest.add(line.data(), line.size());
  return digest.hex();
}

/// Follows the chain. A line that a kill cut short is none, if the next one says so, or if there is no next one: `torn`.
std::string follow(const std::string& path, bool& torn) {
  torn = false;
  if (!std::filesystem::exists(path)) return kFirst;
  const std::vector<char> file = read_file(path);
  std::string_view text(file.data(), file.size());
  std::string last = kFirst;
  bool one_is_none = false;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    torn = end == text.size();
    text.remove_prefix(std::min(end + 1, text.size()));
    if (torn) break;
    std::string before, detail;
    try {
      const auto json = parse_json(line, path);
      before = json.at("before").get<std::string>();
      detail = json.at("detail").get<std::string>();
    } catch (const std::exception&) {
      require_file(!one_is_none && !text.empty(), path, "line {} is no entry of an audit log",
                   number);
      one_is_none = true;
      continue;
    }
    require_file(before == last && one_is_none == (detail == kCutShort), path,
                 "line {} does not follow from the one before: it was changed, or one is missing",
                 number);
    one_is_none = false;
    last = hash_of(line);
  }
  return last;
}

}  // namespace

AuditLog::AuditLog(const std::string& path) : path_(path) {
  bool torn = false;
  last_ = follow(path, torn);
  if (torn) add("audit", "log", kCutShort);
}

void AuditLog::add(std::string_view action, std::string_view subject, std::string_view detail) {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const nlohmann::ordered_json json{
      {"utc_ms", std::chrono::duration_cast<std::chrono::milliseconds>(now).count()},
      {"action", action},
      {"subject", subject},
      {"detail", detail},
      {"before", last_}};
  const std::string line = json_text(json);
  append_line(path_, line);
  last_ = hash_of(line);
}

std::string AuditLog::last_hash() const {
  const std::scoped_lock lock(mutex_);
  return last_;
}

std::string verify_audit_log(const std::string& path) {
  bool torn = false;
  return follow(path, torn);
}

}  // namespace edgeprune::station
