#pragma once
// What every harness shares: the input as a file, and what a reader may do with it.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/check.h"

namespace edgeprune::fuzz {

/// Bytes that can be opened by a path, in memory: readers take paths.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("fuzz", 0)) {
    if (descriptor_ < 0) std::abort();
  }

  void set(std::string_view bytes) {
    const auto size = static_cast<off_t>(bytes.size());
    if (::ftruncate(descriptor_, size) != 0 ||
        ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) != size) {
      std::abort();
    }
  }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A refusal must be one line that fits a screen and names the file.
inline void require_readable(std::string_view message, std::string_view name) {
  constexpr size_t kLongest = 4000;
  const bool plain = message.find_first_of(std::string_view("\n\r\t\x1b\0", 5)) == message.npos;
  if (plain && message.size() <= kLongest && message.find(name) != message.npos) return;
  std::fprintf(stderr, "a bad message of %zu bytes: %.*s\n", message.size(), 500, message.data());
  std::abort();
}

/// Runs a reader on an input that may be anything. The reader may refuse it by a FileError; any
/// other exception ends the program, and libFuzzer keeps the input.
template <typename Read>
int expect_read_or_refused(std::string_view name, const Read& read) {
  try {
    read();
  } catch (const FileError& error) {
    require_readable(error.what(), name);
  }
  return 0;
}

/// The same for readers of a file.
template <typename Read>
int feed(const uint8_t* data, size_t size, const Read& read) {
  static MemoryFile file;
  static const std::string path = file.path();
  file.set(text_of(data, size));
  return expect_read_or_refused(path, [&] { read(path); });
}

}  // namespace edgeprune::fuzz
