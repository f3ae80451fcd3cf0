#include "data/image_codec.h"
#include "engine/base/check.h"
#include "engine/base/printable.h"

#if EDGEPRUNE_TIFF
#include <tiffio.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#endif

namespace edgeprune {
namespace {

bool is_tiff(std::span<const char> file) {
  const std::string_view text(file.data(), std::min<size_t>(file.size(), 4));
  return text == std::string_view("II*\0", 4) || text == std::string_view("MM\0*", 4);
}

#if EDGEPRUNE_TIFF
std::string tiff_version() {
  const std::string text = TIFFGetVersion();  // "LIBTIFF, Version 4.5.0\nCopyright ..."
  const size_t number = text.find_first_of("0123456789");
  return text.substr(number, text.find('\n') - number);
}

/// A TIFF in memory, as libtiff reads it, and the first thing that it had to say against it.
class TiffFile {
 public:
  TiffFile(std::span<const char> bytes, const std::string& path, size_t max_bytes)
      : bytes_(bytes), path_(path), file_(open(max_bytes), TIFFClose) {
    require(file_ != nullptr);
  }
  TIFF* get() const { return file_.get(); }

  void require(bool sound) const {
    require_file(sound, path_, "corrupt or truncated TIFF image: {}",
                 printable(complaint_.empty() ? "no reason given" : complaint_, 200));
  }

  uint32_t number(ttag_t tag) const {
    uint32_t value = 0;
    TIFFGetField(get(), tag, &value);
    return value;
  }
  uint16_t short_number(ttag_t tag) const {
    uint16_t value = 0;
    TIFFGetFieldDefaulted(get(), tag, &value);
    return value;
  }

 private:
  TIFF* open(size_t max_bytes) {
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
        TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(max_bytes));
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), note, this);
    TIFFOpenOptionsSetWarningHandlerExtR(
        options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
    return TIFFClientOpenExt("", "rm", this, read, write, seek, close, size, nullptr, nullptr,
                             options.get());
  }

  static int note(TIFF*, void* self, const char*, const char* format, va_list arguments) {
    char text[300];
    std::vsnprintf(text, sizeof text, format, arguments);
    std::string& complaint = static_cast<TiffFile*>(self)->complaint_;
    if (complaint.empty()) complaint = text;
    return 1;  // nothing else is to be done about it, as to print it
  }
  static tmsize_t read(thandle_t self, void* out, tmsize_t wanted) {
    auto& file = *static_cast<TiffFile*>(self);
    const size_t left = file.bytes_.size() - std::min(file.position_, file.bytes_.size());
    const size_t count = std::min(static_cast<size_t>(std::max<tmsize_t>(wanted, 0)), left);
    if (count > 0) std::memcpy(out, file.bytes_.data() + file.position_, count);
    file.position_ += count;
    return static_cast<tmsize_t>(count);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return -1; }
  static toff_t seek(thandle_t self, toff_t offset, int from) {
    auto& file = *static_cast<TiffFile*>(self);
    const size_t start = from == SEEK_CUR   ? file.position_
                         : from == SEEK_END ? file.bytes_.size()
                                            : 0;
    return file.position_ = start + static_cast<size_t>(offset);
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t self) { return static_cast<TiffFile*>(self)->bytes_.size(); }

  std::span<const char> bytes_;
  const std::string& path_;
  size_t position_ = 0;
  std::string complaint_;
  std::unique_ptr<TIFF, decltype(&TIFFClose)> file_;
};

/// Room for the list of strips of the largest image.
constexpr size_t kTiffHeaderBytes = size_t{1} << 22;

/// Cameras and scanners write these; the others of libtiff's are rare, and are code that a crafted
/// file could reach.
void check_compression(uint16_t scheme, const std::string& path) {
  constexpr uint16_t kRead[] = {COMPRESSION_NONE,    COMPRESSION_LZW,
                                COMPRESSION_JPEG,    COMPRESSION_ADOBE_DEFLATE,
                                COMPRESSION_DEFLATE, COMPRESSION_PACKBITS};
  require_file(std::ranges::count(kRead, scheme) > 0, path,
               "TIFF image compressed by scheme {}; none, LZW, deflate, PackBits and JPEG are read",
               scheme);
}

ImageHeader tiff_header(std::span<const char> bytes, const std::string& path) {
  const TiffFile file(bytes, path, kTiffHeaderBytes);
  check_compression(file.short_number(TIFFTAG_COMPRESSION), path);
  constexpr uint32_t kMost = 1 << 14;  // a side, as of all other formats
  const uint32_t width = file.number(TIFFTAG_IMAGEWIDTH), height = file.number(TIFFTAG_IMAGELENGTH);
  require_file(width <= kMost && height <= kMost, path,
               "image of {} x {} pixels, at most {} a side are read", width, height, kMost);
  return {static_cast<int>(width), static_cast<int>(height),
          file.short_number(TIFFTAG_ORIENTATION)};
}

/// libtiff would darken transparent pixels; called darkened already, they are taken as they are.
void drop_alpha(TIFF* file) {
  uint16_t count = 0, *kinds = nullptr;
  if (TIFFGetField(file, TIFFTAG_EXTRASAMPLES, &count, &kinds) == 1 && count == 1) {
    const uint16_t associated = EXTRASAMPLE_ASSOCALPHA;
    TIFFSetField(file, TIFFTAG_EXTRASAMPLES, 1, &associated);
  }
}

Image decode_tiff(std::span<const char> bytes, const std::string& path, const ImageHeader& header,
                  size_t max_bytes) {
  const TiffFile file(bytes, path, max_bytes);
  drop_alpha(file.get());
  char why[1024] = "";
  TIFFRGBAImage reader;
  const bool readable =
      TIFFRGBAImageOK(file.get(), why) != 0 && TIFFRGBAImageBegin(&reader, file.get(), 1, why) != 0;
  require_file(readable, path, "TIFF image of a kind that is not read: {}", printable(why, 200));
  const std::unique_ptr<TIFFRGBAImage, decltype(&TIFFRGBAImageEnd)> end(&reader, TIFFRGBAImageEnd);
  reader.req_orientation = reader.orientation;  // as it lies: Pixels::upright() turns it
  std::vector<uint32_t> raster(size_t(header.width) * header.height);
  file.require(TIFFRGBAImageGet(&reader, raster.data(), static_cast<uint32_t>(header.width),
                                static_cast<uint32_t>(header.height)) != 0);
  Image image{header.height, header.width, {}};
  image.rgb.reserve(3 * raster.size());
  for (const uint32_t pixel : raster) {
    for (const uint32_t value : {TIFFGetR(pixel), TIFFGetG(pixel), TIFFGetB(pixel)}) {
      image.rgb.push_back(static_cast<uint8_t>(value));
    }
  }
  return image;
}
#endif

}  // namespace

ImageCodec tiff_codec() {
  ImageCodec codec{"TIFF", "libtiff", {".tif", ".tiff"}, nullptr, is_tiff, nullptr, nullptr};
#if EDGEPRUNE_TIFF
  codec.version = tiff_version;
  codec.header = tiff_header;
  codec.decode = decode_tiff;
#endif
  return codec;
}

}  // namespace edgeprune
