#include "data/image.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "engine/base/check.h"
#include "engine/base/file.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS (1 << 14)
// Some of its assertions fail on corrupt files, which must not end the program.
#define STBI_ASSERT(condition) ((void)0)
#include <stb_image.h>

namespace edgeprune {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 26;
// Deflate squeezes at most 1032 bytes into one, and a PNG byte holds at most 8 pixels. A header
// that promises more lies, and must not make us allocate.
constexpr int64_t kMaxPixelsPerByte = 1032 * 8;

/// A file in memory, read through callbacks rather than directly, to notice a decoder that wanted
/// more than there is: stb_image's BMP reader takes missing bytes for zeros.
class Source {
 public:
  explicit Source(std::span<const char> bytes) : bytes_(bytes) {}

  static constexpr stbi_io_callbacks callbacks() { return {read, skip, at_end}; }
  bool exhausted() const { return exhausted_; }

 private:
  static int read(void* self, char* out, int wanted) {
    auto& source = *static_cast<Source*>(self);
    const size_t count = std::min(static_cast<size_t>(wanted), source.bytes_.size());
    source.exhausted_ |= count == 0;
    if (count > 0) std::memcpy(out, source.bytes_.data(), count);
    source.bytes_ = source.bytes_.subspan(count);
    return static_cast<int>(count);
  }

  static void skip(void* self, int count) {  // stb_image skips forwards only
    auto& source = *static_cast<Source*>(self);
    source.bytes_ = source.bytes_.subspan(
        std::min(static_cast<size_t>(std::max(count, 0)), source.bytes_.size()));
  }

  static int at_end(void* self) { return static_cast<Source*>(self)->bytes_.empty(); }

  std::span<const char> bytes_;
  bool exhausted_ = false;
};

/// stb_image 2.27 (Debian 12) writes past its arrays when a JPEG's Huffman table lists more than
/// 256 codes, so these are turned away first. Finds marker segments (ITU-T T.81, B.1) where
/// stb_image does, and checks every DHT among them.
bool huffman_tables_fit(std::span<const uint8_t> bytes) {
  constexpr uint8_t kDht = 0xC4, kEoi = 0xD9, kTem = 0x01;
  const auto at = [&](size_t i) -> size_t { return i < bytes.size() ? bytes[i] : 0; };
  size_t position = 0;
  while (position < bytes.size()) {
    if (at(position++) != 0xFF) continue;
    while (at(position) == 0xFF) ++position;
    const size_t marker = at(position++);
    if (marker == kEoi) break;
    if (marker <= kTem || (marker >= 0xD0 && marker <= 0xD8))
      continue;  // markers without a segment
    const size_t end = position + (at(position) << 8 | at(position + 1));
    size_t table = position + 2;
    while (marker == kDht && table < end && table < bytes.size()) {
      size_t codes = 0;
      for (size_t length = 1; length <= 16; ++length) codes += at(table + length);
      if (codes > 256) return false;
      table += 17 + codes;
    }
    position = std::max(end, position + 2);
  }
  return true;
}

}  // namespace

Image read_image(const std::string& path) {
  const std::vector<char> content = read_file(path);
  require_file(!content.empty(), path, "empty file, a JPEG, PNG or BMP image was expected");
  const stbi_io_callbacks callbacks = Source::callbacks();
  const std::span bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size());
  const bool is_jpeg = bytes[0] == 0xFF;
  require_file(!is_jpeg || huffman_tables_fit(bytes), path,
               "corrupt image: a Huffman table of more than 256 codes");

  int width = 0, height = 0, channels = 0;
  Source header(content);
  require_file(stbi_info_from_callbacks(&callbacks, &header, &width, &height, &channels) == 1, path,
               "not a readable JPEG, PNG or BMP image");
  const int64_t pixels = int64_t{width} * height;
  require_file(width > 0 && height > 0 && pixels <= kMaxPixels, path,
               "image of {} x {} pixels, at most 2^26 are read", width, height);
  require_file(pixels <= kMaxPixelsPerByte * static_cast<int64_t>(content.size()), path,
               "truncated image: {} x {} pixels in {} bytes", width, height, content.size());

  Source body(content);
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> decoded(
      stbi_load_from_callbacks(&callbacks, &body, &width, &height, &channels, 3), stbi_image_free);
  require_file(decoded != nullptr, path, "corrupt image: {}",
               decoded == nullptr ? stbi_failure_reason() : "");
  require_file(!body.exhausted(), path, "truncated image");
  return {height, width, {decoded.get(), decoded.get() + pixels * 3}};
}

}  // namespace edgeprune
