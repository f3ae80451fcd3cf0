#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace edgeprune::station {

/// What people and the station did to models, thresholds and images: lines of JSON, each with the SHA-256 of the line before, so
/// that one that is changed, taken out or put in shows. (The end can be cut off unseen, unless the last hash is kept
/// elsewhere: last_hash().) For any thread.
class AuditLog {
 public:
  /// Goes on with the file's chain. A last line that a kill cut short is taken out, which the next one
  /// says. Throws FileError if
  /// the chain is broken, naming the line.
  explicit AuditLog(const std::string& path);

  /// Appends and syncs. Throws FileError.
  void add(std::string_view action, std::string_view subject, std::string_view detail);
  std::string last_hash() const;

 private:
  void cut_off() const;  ///< what is behind the last whole line

  mutable std::mutex mutex_;
  std::string path_, last_;
  uintmax_t bytes_ = 0;  ///< of whole lines
};

/// The hash of the last line. Throws FileError("path: line N ...") at the first that does not follow from the one before.
std::string verify_audit_log(const std::string& path);

}  // namespace edgeprune::station
