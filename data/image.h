#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edgeprune {

/// An 8-bit RGB image, rows top to bottom.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3]

  bool operator==(const Image&) const = default;
};

/// What the names of files that read_image() reads end in.
inline constexpr std::string_view kImageExtensions[] = {".jpg", ".jpeg", ".png", ".bmp"};

/// Decodes a JPEG, PNG or BMP file; grey becomes RGB, alpha is dropped. Throws FileError if the
/// file is missing, truncated, corrupt, of another format, wider or higher than 16384, of more
/// than 2^26 pixels, would take more than half a gigabyte to decode (as large images of 16 bits a
/// channel do), or is a JPEG of more than 100 scans.
Image read_image(const std::string& path);

}  // namespace edgeprune
