#include "engine/base/printable.h"

#include <fmt/format.h>

#include <algorithm>

namespace edgeprune {
namespace {

/// The length of the UTF-8 sequence that `text` begins with, 0 if it is none (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF).
size_t utf8_sequence(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const size_t length = first < 0xC2   ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xE0 && at(1) < 0xA0) || (first == 0xF0 && at(1) < 0x90);
  const bool beyond = (first == 0xED && at(1) > 0x9F) || (first == 0xF4 && at(1) > 0x8F);
  return overlong || beyond ? 0 : length;
}

}  // namespace

std::string printable(std::string_view text, size_t longest) {
  std::string shown(text.substr(0, longest));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text.size() > longest ? shown + "..." : shown;
}

std::string as_utf8(std::string_view text) {
  std::string escaped;
  bool is_utf8 = true;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = utf8_sequence(rest);
    if (length > 0 && rest[0] != '\\') {
      escaped += rest.substr(0, length);
    } else {
      escaped += fmt::format("\\x{:02X}", static_cast<unsigned char>(rest[0]));
    }
    is_utf8 &= length > 0;
    rest.remove_prefix(std::max<size_t>(1, length));
  }
  return is_utf8 ? std::string(text) : escaped;
}

}  // namespace edgeprune
