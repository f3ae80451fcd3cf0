#pragma once
// Text as a terminal shows it.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace edgeprune {

/// Columns that UTF-8 text takes on a terminal, one a code point (no wide characters are printed
/// here).
size_t text_columns(std::string_view text);

/// The first `columns` columns of `text`, never half a character.
std::string_view clip_text(std::string_view text, size_t columns);

/// What somebody may have meant who wrote `word`: the one of `known` that takes fewest letters put in,
/// left out, changed or swapped to come to it; of several the first. Empty if that is more than a third of the word's.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace edgeprune
