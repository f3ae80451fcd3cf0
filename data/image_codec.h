#pragma once
// Readers of image formats that have a library of their own, which may have been missing when edgeprune
// was built. (JPEG, PNG and BMP are always read: image.cpp.)

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/image.h"

namespace edgeprune {

struct ImageHeader {
  int width = 0, height = 0;
  int orientation = 1;  ///< EXIF's
};

struct ImageCodec {
  std::string_view name, library;
  std::vector<std::string_view> extensions;
  std::string (*version)();  ///< of the library; null: edgeprune was built without it
  bool (*begins)(std::span<const char> file);
  /// What a file says of itself. Throws FileError("path: ...").
  ImageHeader (*header)(std::span<const char> file, const std::string& path);
  /// The pixels as they lie, alpha dropped. `max_bytes`: that a decoder may take at a time. Throws
  /// FileError("path: ...").
  Image (*decode)(std::span<const char> file, const std::string& path, const ImageHeader& header,
                  size_t max_bytes);
};

ImageCodec webp_codec();
ImageCodec tiff_codec();

/// All of them, built or not.
const std::vector<ImageCodec>& image_codecs();

}  // namespace edgeprune
