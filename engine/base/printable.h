#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace edgeprune {

/// Foreign text made fit for a one-line message: control characters masked, long ones cut.
std::string printable(std::string_view text, size_t longest = 80);

/// Text of any bytes, as names of files are, made fit for JSON: bytes that are not part of UTF-8
/// become \xE9, four characters each. UTF-8 stays as it is.
std::string as_utf8(std::string_view text);

}  // namespace edgeprune
