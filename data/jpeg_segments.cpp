#include "data/jpeg_segments.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

/// Passes over the image that a progressive JPEG may ask for: ten are usual, and each takes its
/// time whatever the file's size.
constexpr int kMaxScans = 100;

std::span<const uint8_t> as_bytes_of(std::span<const char> file) {
  return {reinterpret_cast<const uint8_t*>(file.data()), file.size()};
}

/// What EXIF begins with in a JPEG, and in some WebPs.
constexpr std::string_view kExif("Exif\0\0", 6);

struct Segment {
  int marker = 0;
  std::span<const uint8_t> content;  ///< behind the length
};

/// The segments in front of the first scan (ITU-T T.81, B.1), as far as they follow each other.
std::vector<Segment> segments_before_scan(std::span<const uint8_t> bytes) {
  constexpr int kSos = 0xDA;
  std::vector<Segment> segments;
  size_t position = 2;  // behind the start of the image
  while (position + 4 <= bytes.size() && bytes[position] == 0xFF) {
    const int marker = bytes[position + 1];
    if (marker == 0xFF) {  // a marker may be preceded by any number of these
      ++position;
      continue;
    }
    const size_t length = size_t{bytes[position + 2]} << 8 | bytes[position + 3];
    if (marker == kSos || length < 2 || position + 2 + length > bytes.size()) break;
    segments.push_back({marker, bytes.subspan(position + 4, length - 2)});
    position += 2 + length;
  }
  return segments;
}

bool begins_with(std::span<const uint8_t> content, std::string_view text) {
  return content.size() >= text.size() &&
         std::equal(text.begin(), text.end(), content.begin(),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

/// The orientation in the first directory of a TIFF, which EXIF is (Exif 2.3, 4.6); 0: none.
int tiff_orientation(std::span<const uint8_t> tiff) {
  constexpr uint32_t kOrientation = 0x112, kShort = 3;
  constexpr size_t kEntry = 12;
  const bool little = begins_with(tiff, "II");
  if (!little && !begins_with(tiff, "MM")) return 0;
  const auto number = [&](size_t at, size_t size) {  // zero beyond the end
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t place = at + (little ? size - 1 - i : i);
      value = value << 8 | (place < tiff.size() ? tiff[place] : 0u);
    }
    return value;
  };
  const size_t directory = number(4, 4), entries = number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntry;
    if (entry + kEntry > tiff.size()) return 0;
    if (number(entry, 2) == kOrientation && number(entry + 2, 2) == kShort) {
      return static_cast<int>(number(entry + 8, 2));
    }
  }
  return 0;
}

}  // namespace

/// stb_image 2.27 (Debian 12) writes past its arrays when a JPEG's Huffman table lists more than
/// 256 codes. Finds marker segments where stb_image does.
void check_jpeg(std::span<const char> file, const std::string& path) {
  const std::span<const uint8_t> bytes = as_bytes_of(file);
  constexpr uint8_t kDht = 0xC4, kSos = 0xDA, kEoi = 0xD9, kTem = 0x01;
  const auto at = [&](size_t i) -> size_t { return i < bytes.size() ? bytes[i] : 0; };
  size_t position = 0;
  int scans = 0;
  while (position < bytes.size()) {
    if (at(position++) != 0xFF) continue;
    while (at(position) == 0xFF) ++position;
    const size_t marker = at(position++);
    if (marker == kEoi) break;
    if (marker <= kTem || (marker >= 0xD0 && marker <= 0xD8))
      continue;  // markers without a segment
    if (marker == kSos) ++scans;
    require_file(scans <= kMaxScans, path, "JPEG of more than {} scans", kMaxScans);
    const size_t end = position + (at(position) << 8 | at(position + 1));
    size_t table = position + 2;
    while (marker == kDht && table < end && table < bytes.size()) {
      size_t codes = 0;
      for (size_t length = 1; length <= 16; ++length) codes += at(table + length);
      require_file(codes <= 256, path, "corrupt image: a Huffman table of more than 256 codes");
      table += 17 + codes;
    }
    position = std::max(end, position + 2);
  }
}

int jpeg_orientation(std::span<const char> file) {
  constexpr int kApp1 = 0xE1;
  for (const auto& [marker, content] : segments_before_scan(as_bytes_of(file))) {
    if (marker != kApp1 || !begins_with(content, kExif)) continue;
    const int orientation = tiff_orientation(content.subspan(kExif.size()));
    if (orientation >= 1 && orientation <= 8) return orientation;
  }
  return 1;
}

int exif_orientation(std::span<const char> exif) {
  std::span<const uint8_t> tiff = as_bytes_of(exif);
  if (begins_with(tiff, kExif)) tiff = tiff.subspan(kExif.size());
  const int orientation = tiff_orientation(tiff);
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

void mark_cmyk(std::vector<char>& file) {
  constexpr int kApp14 = 0xEE;
  constexpr size_t kComponents = 5;  // where a frame header has their number
  bool four = false;
  for (const auto& [marker, content] : segments_before_scan(as_bytes_of(file))) {
    if (marker == kApp14 && begins_with(content, "Adobe")) return;
    const bool frame = marker >= 0xC0 && marker <= 0xC2;
    if (frame && content.size() > kComponents) four = content[kComponents] == 4;
  }
  if (!four) return;
  constexpr std::string_view kAdobe(
      "\xFF\xEE\x00\x0E"
      "Adobe"
      "\x00\x64\0\0\0\0\0",
      16);
  file.insert(file.begin() + 2, kAdobe.begin(), kAdobe.end());
}

}  // namespace edgeprune
