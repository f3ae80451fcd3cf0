#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace edgeprune {

/// Foreign text made fit for a one-line message: control characters masked, long ones cut.
std::string printable(std::string_view text, size_t longest = 80);

/// Text of any bytes, as names of files are, made fit for JSON. UTF-8 stays as it is. In other text each
/// byte that is not part of UTF-8 becomes four characters, as \xE9, and each backslash \x5C, so that
/// whoever turns all \xNN back has the name again, whole. (Of a name in UTF-8 that has \xE9 in it
/// nobody could tell; none is known.)
std::string as_utf8(std::string_view text);

}  // namespace edgeprune
