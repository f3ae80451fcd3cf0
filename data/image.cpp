#include "data/image.h"

#include <fmt/ranges.h>
#include <malloc.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>

#include "data/image_codec.h"
#include "data/jpeg_segments.h"
#include "data/palette.h"
#include "data/resize.h"
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

/// The most pixels that a byte of a file may stand for. A header that promises more lies, and must
/// not make us allocate and decode. JPEG: a block of 8x8 takes one bit at least. PNG and TIFF: deflate
/// squeezes at most 1032 bytes into one, and a byte holds at most 8 pixels. BMP is not compressed. In a
/// WebP of one colour pixels take no bits at all.
int64_t max_pixels_per_byte(uint8_t first) {
  if (first == 0xFF) return 8 * 64;
  if (first == 'R') return kMaxPixels;
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

/// Enough for every sound file of so many pixels: decoded twice at 16 bits a channel, or with a
/// progressive JPEG's coefficients; the compressed data; blocks at the rims of a small JPEG.
size_t decoder_bytes(int64_t pixels, size_t file_bytes) {
  constexpr size_t kRims = size_t{16} << 20;
  return std::min(16 * static_cast<size_t>(pixels) + 4 * file_bytes + kRims, kMaxDecoderBytes);
}

/// What all threads together may decode at once, above which they wait for each other: a
/// photograph of 12 million pixels takes 5 bytes each.
class DecodingRoom {
 public:
  explicit DecodingRoom(int64_t pixels) : pixels_(pixels) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return taken == 0 || taken + pixels_ <= kRoom; });
    taken += pixels_;
  }
  ~DecodingRoom() {
    {
      const std::lock_guard lock(mutex);
      taken -= pixels_;
    }
    changed.notify_all();
  }
  DecodingRoom(const DecodingRoom&) = delete;
  DecodingRoom& operator=(const DecodingRoom&) = delete;

 private:
  static constexpr int64_t kRoom = 25'000'000;
  static inline std::mutex mutex;
  static inline std::condition_variable changed;
  static inline int64_t taken = 0;
  const int64_t pixels_;
};

void check_size(int64_t width, int64_t height, std::span<const char> file,
                const std::string& path) {
  const int64_t pixels = width * height;
  require_file(width > 0 && height > 0 && pixels <= kMaxPixels, path,
               "image of {} x {} pixels, at most 2^26 are read", width, height);
  const int64_t most =
      max_pixels_per_byte(static_cast<uint8_t>(file[0])) * static_cast<int64_t>(file.size());
  require_file(pixels <= most, path, "truncated image: {} x {} pixels in {} bytes", width, height,
               file.size());
}

/// What stb_image says, "Corrupt JPEG" mostly, in our words.
std::string failure() {
  constexpr std::string_view kCorrupt = "Corrupt ";
  const std::string_view reason = stbi_failure_reason();
  return reason.starts_with(kCorrupt)
             ? fmt::format("corrupt {} image", reason.substr(kCorrupt.size()))
             : fmt::format("image that cannot be read: {}", reason);
}

/// By stb_image; gives what `make` makes of the upright pixels.
template <typename Make>
Image decode_by_stb(std::vector<char> content, const std::string& path, const Make& make) {
  const stbi_io_callbacks callbacks = Source::callbacks();
  int orientation = 1;
  if (static_cast<uint8_t>(content[0]) == 0xFF) {
    check_jpeg(content, path);
    orientation = jpeg_orientation(content);
    mark_cmyk(content);
  }

  int width = 0, height = 0, channels = 0;
  Source header(content);
  DecoderMemory::allow(decoder_bytes(0, content.size()));
  require_file(stbi_info_from_callbacks(&callbacks, &header, &width, &height, &channels) == 1, path,
               "not a readable {} image", image_formats());
  check_size(width, height, content, path);
  const int64_t pixels = int64_t{width} * height;

  const Palette palette = take_palette(content, path);
  const DecodingRoom room(pixels);
  Source body(content);
  DecoderMemory::allow(decoder_bytes(pixels, content.size()));
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> decoded(
      stbi_load_from_callbacks(&callbacks, &body, &width, &height, &channels, 3), stbi_image_free);
  require_file(!DecoderMemory::has_refused(), path,
               "image of {} x {} pixels that would take more than {} MB to decode", width, height,
               decoder_bytes(pixels, content.size()) >> 20);
  require_file(decoded != nullptr, path, "{}", decoded == nullptr ? failure() : "");
  require_file(!body.exhausted(), path, "truncated image");
  if (!palette.empty()) {
    apply_palette({decoded.get(), 3 * static_cast<size_t>(pixels)}, palette, path);
  }
  return make(Pixels(height, width, decoded.get()).upright(orientation));
}

/// Decodes, and gives what `make` makes of the upright pixels.
template <typename Make>
Image decode(const std::string& path, const Make& make) {
  std::vector<char> content = read_file(path);
  require_file(!content.empty(), path, "empty file, a {} image was expected", image_formats());
  for (const ImageCodec& codec : image_codecs()) {
    if (!codec.begins(content)) continue;
    require_file(codec.version != nullptr, path,
                 "is a {} image, which this edgeprune cannot read: it was built without {}",
                 codec.name, codec.library);
    const ImageHeader header = codec.header(content, path);
    check_size(header.width, header.height, content, path);
    const int64_t pixels = int64_t{header.width} * header.height;
    const DecodingRoom room(pixels);
    const Image image = codec.decode(content, path, header, decoder_bytes(pixels, content.size()));
    return make(Pixels(image).upright(header.orientation));
  }
  return decode_by_stb(std::move(content), path, make);
}

}  // namespace

const std::vector<ImageCodec>& image_codecs() {
  static const std::vector<ImageCodec> formats{webp_codec(), tiff_codec()};
  return formats;
}

const std::vector<std::string_view>& image_extensions() {
  static const std::vector<std::string_view> extensions = [] {
    std::vector<std::string_view> all{".jpg", ".jpeg", ".png", ".bmp"};
    for (const ImageCodec& codec : image_codecs()) {
      if (codec.version == nullptr) continue;
      all.insert(all.end(), codec.extensions.begin(), codec.extensions.end());
    }
    return all;
  }();
  return extensions;
}

std::string image_formats() {
  std::vector<std::string_view> names{"JPEG", "PNG", "BMP"};
  for (const ImageCodec& codec : image_codecs()) {
    if (codec.version != nullptr) names.push_back(codec.name);
  }
  const std::string_view last = names.back();
  names.pop_back();
  return fmt::format("{} or {}", fmt::join(names, ", "), last);
}

Pixels Pixels::part(int top, int left, int rows, int columns) const {
  Pixels result = *this;
  result.first += top * down + left * right;
  result.height = rows;
  result.width = columns;
  return result;
}

Pixels Pixels::upright(int orientation) const {
  Pixels result = *this;
  if (orientation >= 5) {  // rows are seen as columns
    std::swap(result.height, result.width);
    std::swap(result.down, result.right);
  }
  const auto from_the_end = [&](int count, std::ptrdiff_t& step) {
    result.first += (count - 1) * step;
    step = -step;
  };
  const bool bottom_up =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool right_to_left =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  if (bottom_up) from_the_end(result.height, result.down);
  if (right_to_left) from_the_end(result.width, result.right);
  return result;
}

Image Pixels::copy() const {
  Image image{height, width, {}};
  image.rgb.resize(size_t{3} * height * width);
  uint8_t* out = image.rgb.data();
  for (int y = 0; y < height; ++y) {
    const uint8_t* pixel = first + y * down;
    if (right == 3) {
      out = std::copy_n(pixel, size_t{3} * width, out);
      continue;
    }
    for (int x = 0; x < width; ++x, pixel += right) out = std::copy_n(pixel, 3, out);
  }
  return image;
}

Image read_image(const std::string& path) {
  return decode(path, [](const Pixels& pixels) { return pixels.copy(); });
}

Image read_image(const std::string& path, Resize how, int size) {
  return decode(path, [&](const Pixels& pixels) { return fit(pixels, how, size); });
}

}  // namespace edgeprune
