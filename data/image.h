#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/resize.h"

namespace edgeprune {

/// An 8-bit RGB image, rows top to bottom.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3]

  bool operator==(const Image&) const = default;
};

/// Pixels that lie somewhere else, perhaps turned or mirrored: pixel (y, x) is at first + y * down +
/// x * right, three bytes.
struct Pixels {
  Pixels(int rows, int columns, const uint8_t* rgb)
      : height(rows), width(columns), first(rgb), down(std::ptrdiff_t{3} * columns), right(3) {}
  Pixels(const Image& image) : Pixels(image.height, image.width, image.rgb.data()) {}

  /// A part of them.
  Pixels part(int top, int left, int rows, int columns) const;
  /// As the numbers 1 to 8 of EXIF's orientation say they are seen.
  Pixels upright(int orientation) const;
  Image copy() const;

  int height, width;
  const uint8_t* first;
  std::ptrdiff_t down, right;
};

/// What the names of files that read_image() reads end in.
const std::vector<std::string_view>& image_extensions();
/// The formats that it reads, as "JPEG, PNG, BMP, WebP or TIFF".
std::string image_formats();

/// Decodes a JPEG, PNG, BMP, still WebP or TIFF (its first page) file, the latter two if edgeprune was
/// built with their libraries (image_codec.h); grey and CMYK become RGB, alpha is dropped, and what
/// EXIF or TIFF says is turned comes upright, as people see it. Throws FileError if the
/// file is missing, truncated, corrupt, of another format, wider or higher than 16384, of more
/// than 2^26 pixels, would take more than half a gigabyte to decode (as large images of 16 bits a
/// channel do), or is a JPEG of more than 100 scans.
Image read_image(const std::string& path);
/// And makes it fit for a network of side `size` (resize.h), without a copy at full size. Large images
/// are decoded a few at a time, whatever the number of threads.
Image read_image(const std::string& path, Resize how, int size);

}  // namespace edgeprune
