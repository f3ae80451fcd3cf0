#include "data/palette.h"

#include <algorithm>
#include <string_view>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr size_t kMostColours = 256;

/// Whole numbers of some bytes, the lowest first; 0 behind the file's end.
size_t little_endian(std::span<const char> file, size_t at, size_t bytes) {
  size_t value = 0;
  for (size_t i = 0; i < bytes && at + i < file.size(); ++i) {
    value |= size_t{static_cast<uint8_t>(file[at + i])} << (8 * i);
  }
  return value;
}

size_t big_endian(std::span<const char> file, size_t at) {
  size_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | little_endian(file, at + i, 1);
  return value;
}

/// Replaces `bytes` at `at` by `colours` greys, of so many bytes each, from black on.
void put_greys(std::vector<char>& file, size_t at, size_t bytes, size_t colours, size_t size) {
  std::vector<char> greys(colours * size);
  for (size_t i = 0; i < greys.size(); ++i) greys[i] = static_cast<char>(i / size);
  const auto begin = file.begin() + static_cast<std::ptrdiff_t>(at);
  file.insert(file.erase(begin, begin + static_cast<std::ptrdiff_t>(bytes)), greys.begin(),
              greys.end());
}

/// Red, green and blue at these places of each entry of so many bytes.
Palette colours_at(std::span<const char> bytes, size_t size, const std::array<size_t, 3>& places) {
  Palette palette(bytes.size() / size);
  for (size_t i = 0; i < palette.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) {
      palette[i][c] = static_cast<uint8_t>(bytes[i * size + places[c]]);
    }
  }
  return palette;
}

/// Of chunks, each a length, a name, so many bytes and a checksum, which nobody compares.
Palette take_png_palette(std::vector<char>& file, const std::string& path) {
  constexpr size_t kSignature = 8, kColourType = 25, kByPalette = 3;
  if (little_endian(file, kColourType, 1) != kByPalette) return {};
  Palette palette;
  for (size_t at = kSignature; at + 12 <= file.size(); at += 12 + big_endian(file, at)) {
    const size_t length = big_endian(file, at), data = at + 8;
    const std::string_view name(file.data() + at + 4, 4);
    if (length > file.size() - 12 - at) break;  // cut off
    if (name == "tRNS") {
      require_file(length <= palette.size(), path,
                   "corrupt PNG image: transparency of {} colours in a palette of {}", length,
                   palette.size());
    }
    if (name != "PLTE" || length == 0 || length % 3 != 0 || length > 3 * kMostColours) continue;
    require_file(palette.empty(), path, "corrupt PNG image: it has two palettes");
    palette = colours_at(std::span(file).subspan(data, length), 3, {0, 1, 2});
    put_greys(file, data, length, kMostColours, 3);
    file[at + 2] = 3 * kMostColours / 256;
    file[at + 3] = 0;
  }
  return palette;
}

/// Between the header and the pixels. OS/2's header of 12 bytes has entries of three bytes, all later
/// ones of four and, mostly, a count of them.
Palette take_bmp_palette(std::vector<char>& file, const std::string& path) {
  constexpr size_t kFileHeader = 14, kOs2 = 12, kColoursUsed = 46;
  const size_t header = little_endian(file, kFileHeader, 4);
  const bool os2 = header == kOs2;
  const size_t begin = kFileHeader + header, size = os2 ? 3 : 4;
  const size_t end = little_endian(file, 10, 4), bits = little_endian(file, os2 ? 24 : 28, 2);
  if (bits > 8 || end > file.size() || end < begin + size) return {};
  size_t colours = (end - begin) / size;
  const size_t used = os2 ? 0 : little_endian(file, kColoursUsed, 4);
  if (used != 0) colours = std::min(colours, used);
  require_file(colours <= kMostColours, path, "corrupt BMP image: a palette of {} colours",
               colours);
  Palette palette = colours_at(std::span(file).subspan(begin, colours * size), size, {2, 1, 0});
  // Of OS/2's palettes stb_image leaves the last four entries out.
  const size_t entries = kMostColours + (os2 ? 4 : 0);
  put_greys(file, begin, end - begin, entries, size);
  const size_t pixels = begin + entries * size;
  for (size_t i = 0; i < 4; ++i) file[10 + i] = static_cast<char>(pixels >> (8 * i));
  return palette;
}

}  // namespace

Palette take_palette(std::vector<char>& file, const std::string& path) {
  const std::string_view text(file.data(), std::min<size_t>(file.size(), 4));
  if (text == "\x89PNG") return take_png_palette(file, path);
  if (text.starts_with("BM")) return take_bmp_palette(file, path);
  return {};
}

void apply_palette(std::span<uint8_t> rgb, const Palette& palette, const std::string& path) {
  for (size_t i = 0; i + 3 <= rgb.size(); i += 3) {
    const size_t number = rgb[i];
    require_file(number < palette.size(), path,
                 "corrupt image: a pixel of colour {} in a palette of {}", number, palette.size());
    std::ranges::copy(palette[number], &rgb[i]);
  }
}

}  // namespace edgeprune
