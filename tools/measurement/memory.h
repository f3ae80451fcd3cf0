#pragma once
// Memory: what this process may still take, and what happens beyond.

#include <fmt/format.h>

#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

namespace edgeprune {

/// Bytes that this process can still take before it is refused or killed: the least that the
/// machine (MemAvailable), the process's control groups (version 1 or 2; caches that the kernel
/// would drop count as free) and its own limits (RLIMIT_AS, RLIMIT_DATA) leave, and the buffers
/// that it holds for reuse. Nothing where the kernel does not say. `root` is in front of /proc and
/// /sys, for tests.
std::optional<int64_t> available_memory(const std::string& root = "");

/// The most that was resident at any time so far, in bytes.
int64_t peak_memory();

/// From now on asking for more than nine tenths of available_memory() throws std::bad_alloc. Linux
/// would grant it, and kill the process later, when it is used.
void refuse_more_than_available_memory();

/// Runs `action`; its std::bad_alloc becomes a std::runtime_error that says what memory was wanted
/// for and how much there was.
template <typename Action>
auto explain_bad_alloc(const char* where, const std::string& purpose, const Action& action) {
  const auto available = available_memory();
  try {
    return action();
  } catch (const std::bad_alloc&) {
    throw std::runtime_error(fmt::format(
        "[{}] not enough memory for {}{}: try a smaller --batch", where, purpose,
        available ? fmt::format(", {:.2f} GB were available", 1e-9 * double(*available)) : ""));
  }
}

}  // namespace edgeprune
