#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/check.h"

namespace edgeprune {

/// Walks bytes from front to back and never past their end: a short input is a FileError that names
/// `path`.
class ByteCursor {
 public:
  ByteCursor(std::span<const std::byte> bytes, std::string path)
      : bytes_(bytes), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  size_t size() const { return bytes_.size(); }
  size_t position() const { return position_; }

  std::span<const std::byte> take(uint64_t count) {
    const size_t left = bytes_.size() - position_;
    require_file(count <= left, path_, "truncated: {} bytes expected at byte {}, {} left", count,
                 position_, left);
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  std::string_view text(uint64_t count) {
    const auto taken = take(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  /// Text up to the next newline, which is taken too.
  std::string_view line() {
    const auto rest = bytes_.subspan(position_);
    const std::string_view all(reinterpret_cast<const char*>(rest.data()), rest.size());
    const size_t length = all.find('\n');
    require_file(length != all.npos, path_, "truncated: no end of the line that starts at byte {}",
                 position_);
    return text(length + 1).substr(0, length);
  }

  template <typename T>
  T little_endian() {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  std::string path_;
  size_t position_ = 0;
};

}  // namespace edgeprune
