#include "data/image.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "engine/base/check.h"
#include "engine/base/file.h"

namespace edgeprune {
namespace {

/// The memory of stb_image on this thread, which asks for what the file says: a pixel of a 16-bit
/// PNG takes 16 bytes, and the compressed data of a 1x1 one may unfold to gigabytes.
class DecoderMemory {
 public:
  static void allow(size_t bytes) { left = bytes, refused = false; }
  static bool has_refused() { return refused; }

  /// Zeros: stb_image 2.27 reads Huffman tables that a corrupt JPEG uses and does not define, and
  /// then memory far outside of them.
  static void* take(size_t bytes) {
    if (!may_grow_by(bytes)) return nullptr;
    void* block = std::calloc(1, bytes);
    left -= std::min(left, malloc_usable_size(block));
    return block;
  }

  static void* resize(void* block, size_t bytes) {
    const size_t before = malloc_usable_size(block);
    if (bytes > before && !may_grow_by(bytes - before)) return nullptr;
    void* resized = std::realloc(block, bytes);
    if (resized == nullptr) return nullptr;
    left += before;
    left -= std::min(left, malloc_usable_size(resized));
    return resized;
  }

  static void give(void* block) {
    left += malloc_usable_size(block);
    std::free(block);
  }

 private:
  static bool may_grow_by(size_t bytes) {
    refused |= bytes > left;
    return bytes <= left;
  }

  static thread_local size_t left;
  static thread_local bool refused;
};

thread_local size_t DecoderMemory::left = 0;
thread_local bool DecoderMemory::refused = false;

}  // namespace
}  // namespace edgeprune

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS (1 << 14)
#define STBI_MALLOC(bytes) edgeprune::DecoderMemory::take(bytes)
#define STBI_REALLOC(block, bytes) edgeprune::DecoderMemory::resize(block, bytes)
#define STBI_FREE(block) edgeprune::DecoderMemory::give(block)
// Some of its assertions fail on corrupt files, which must not end the program.
#define STBI_ASSERT(condition) ((void)0)
#include <stb_image.h>

namespace edgeprune {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 26;
/// What decoding may take at a time: half a gigabyte, enough for 2^26 pixels of a photograph.
constexpr size_t kMaxDecoderBytes = size_t{1} << 29;
/// Passes over the image that a progressive JPEG may ask for: ten are usual, and each takes its
/// time whatever the file's size.
constexpr int kMaxScans = 100;

/// The most pixels that a byte of a file may stand for. A header that promises more lies, and must
/// not make us allocate and decode. JPEG: a block of 8x8 takes one bit at least. PNG: deflate
/// squeezes at most 1032 bytes into one, and a byte holds at most 8 pixels. BMP is not compressed.
int64_t max_pixels_per_byte(uint8_t first) {
  if (first == 0xFF) return 8 * 64;
  return first == 'B' ? 8 : 1032 * 8;
}

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
/// 256 codes, so these are turned away first, as are too many scans. Finds marker segments (ITU-T
/// T.81, B.1) where stb_image does.
void check_jpeg(std::span<const uint8_t> bytes, const std::string& path) {
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

/// Enough for every sound file of so many pixels: decoded twice at 16 bits a channel, or with a
/// progressive JPEG's coefficients; the compressed data; blocks at the rims of a small JPEG.
size_t decoder_bytes(int64_t pixels, size_t file_bytes) {
  constexpr size_t kRims = size_t{16} << 20;
  return std::min(16 * static_cast<size_t>(pixels) + 4 * file_bytes + kRims, kMaxDecoderBytes);
}

}  // namespace

Image read_image(const std::string& path) {
  const std::vector<char> content = read_file(path);
  require_file(!content.empty(), path, "empty file, a JPEG, PNG or BMP image was expected");
  const stbi_io_callbacks callbacks = Source::callbacks();
  const std::span bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size());
  if (bytes[0] == 0xFF) check_jpeg(bytes, path);

  int width = 0, height = 0, channels = 0;
  Source header(content);
  DecoderMemory::allow(decoder_bytes(0, content.size()));
  require_file(stbi_info_from_callbacks(&callbacks, &header, &width, &height, &channels) == 1, path,
               "not a readable JPEG, PNG or BMP image");
  const int64_t pixels = int64_t{width} * height;
  require_file(width > 0 && height > 0 && pixels <= kMaxPixels, path,
               "image of {} x {} pixels, at most 2^26 are read", width, height);
  require_file(pixels <= max_pixels_per_byte(bytes[0]) * static_cast<int64_t>(content.size()), path,
               "truncated image: {} x {} pixels in {} bytes", width, height, content.size());

  Source body(content);
  DecoderMemory::allow(decoder_bytes(pixels, content.size()));
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> decoded(
      stbi_load_from_callbacks(&callbacks, &body, &width, &height, &channels, 3), stbi_image_free);
  require_file(!DecoderMemory::has_refused(), path,
               "image of {} x {} pixels that would take more than {} MB to decode", width, height,
               decoder_bytes(pixels, content.size()) >> 20);
  require_file(decoded != nullptr, path, "corrupt image: {}",
               decoded == nullptr ? stbi_failure_reason() : "");
  require_file(!body.exhausted(), path, "truncated image");
  return {height, width, {decoded.get(), decoded.get() + pixels * 3}};
}

}  // namespace edgeprune
