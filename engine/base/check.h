#pragma once
// Checks that throw. Nothing below tools/ prints or exits: an error is an exception whose message
// names the operation, what was expected and what came.

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace edgeprune {

/// A file or folder that is missing, truncated, foreign or cannot be written.
class FileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws std::invalid_argument("[where] message"), for arguments that do not fit each other.
template <typename... Args>
void require(bool ok, const char* where, fmt::format_string<Args...> message, Args&&... args) {
  if (!ok) {
    throw std::invalid_argument(
        fmt::format("[{}] {}", where, fmt::format(message, std::forward<Args>(args)...)));
  }
}

/// Throws FileError("path: message").
template <typename... Args>
void require_file(bool ok, const std::string& path, fmt::format_string<Args...> message,
                  Args&&... args) {
  if (!ok) {
    throw FileError(fmt::format("{}: {}", path, fmt::format(message, std::forward<Args>(args)...)));
  }
}

}  // namespace edgeprune
