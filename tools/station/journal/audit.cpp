#include "tools/station/journal/audit.h"

#include <chrono>
#include <filesystem>
#include <string>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"

namespace edgeprune::station {
namespace {

const std::string kFirst(64, '0');

std::string hash_of(std::string_view line) {
  Digest digest;
  digest.add(line.data(), line.size());
  return digest.hex();
}

struct Chain {
  std::string last = kFirst;
  uintmax_t bytes = 0;  ///< of its lines; what is behind them is the beginning of one
  std::string torn;
};

/// Throws FileError at the first line that does not follow.
Chain follow(const std::string& path) {
  Chain chain;
  if (!std::filesystem::exists(path)) return chain;
  const std::vector<char> file = read_file(path);
  std::string_view text(file.data(), file.size());
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      chain.torn = text;
      break;
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    std::string before;
    try {
      before = parse_json(line, path).at("before").get<std::string>();
    } catch (const std::exception&) {  // said below
    }
    require_file(before == chain.last, path,
                 "line {} does not follow from the one before: it was changed, or one is missing",
                 number);
    chain.last = hash_of(line);
    chain.bytes += line.size() + 1;
  }
  return chain;
}

}  // namespace

AuditLog::AuditLog(const std::string& path) : path_(path) {
  const Chain chain = follow(path);
  last_ = chain.last;
  bytes_ = chain.bytes;
  if (chain.torn.empty()) return;
  cut_off();
  add("audit", "log", "a line was cut short here: " + printable(chain.torn, 100));
}

void AuditLog::cut_off() const {
  std::error_code error;
  std::filesystem::resize_file(path_, bytes_, error);
  require_file(!error, path_, "cannot be mended: {}", error.message());
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
  try {
    append_line(path_, line);
  } catch (const FileError&) {  // a full disk, say, in the middle of it
    if (std::filesystem::exists(path_)) cut_off();
    throw;
  }
  last_ = hash_of(line);
  bytes_ += line.size() + 1;
}

std::string AuditLog::last_hash() const {
  const std::scoped_lock lock(mutex_);
  return last_;
}

std::string verify_audit_log(const std::string& path) {
  return follow(path).last;
}

}  // namespace edgeprune::station
