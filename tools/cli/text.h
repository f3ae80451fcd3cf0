#pragma once
// Text as a terminal shows it.

#include <cstddef>
#include <string>
#include <string_view>

namespace edgeprune {

/// Columns that UTF-8 text takes on a terminal, one a code point (no wide characters are printed
/// here).
size_t text_columns(std::string_view text);

/// The first `columns` columns of `text`, never half a character.
std::string_view clip_text(std::string_view text, size_t columns);

}  // namespace edgeprune
