#include "tools/cli/text.h"

#include <algorithm>

namespace edgeprune {
namespace {

bool starts_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
}

/// Letters put in, left out, changed, or swapped with their neighbour between one and the other
/// (Damerau 1964).
size_t letters_apart(std::string_view one, std::string_view other) {
  std::vector<std::vector<size_t>> apart(one.size() + 1, std::vector<size_t>(other.size() + 1));
  for (size_t i = 0; i <= one.size(); ++i) {  // between the first i letters and the first j
    for (size_t j = 0; j <= other.size(); ++j) {
      if (i == 0 || j == 0) {
        apart[i][j] = i + j;
        continue;
      }
      const size_t changed = one[i - 1] == other[j - 1] ? 0 : 1;
      apart[i][j] =
          std::min({apart[i - 1][j - 1] + changed, apart[i - 1][j] + 1, apart[i][j - 1] + 1});
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1]) {
        apart[i][j] = std::min(apart[i][j], apart[i - 2][j - 2] + 1);
      }
    }
  }
  return apart[one.size()][other.size()];
}

}  // namespace

size_t text_columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string_view clip_text(std::string_view text, size_t columns) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (starts_character(text[i]) && seen++ == columns) return text.substr(0, i);
  }
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t least = word.size() / 3 + 1;
  for (const std::string& one : known) {
    const size_t apart = letters_apart(word, one);
    if (apart < least) best = one, least = apart;
  }
  return best;
}

}  // namespace edgeprune
