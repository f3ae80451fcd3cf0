#include "tools/station/bundle/pixmap.h"

#include <charconv>

#include "engine/base/check.h"

namespace edgeprune::station {
namespace {

constexpr int kMostSide = 16384;

std::string pixmap_header(const Image& image) {
  return fmt::format("P6\n{} {}\n255\n", image.width, image.height);
}

}  // namespace

std::string pixmap_of(const Image& image) {
  return pixmap_header(image).append(reinterpret_cast<const char*>(image.rgb.data()),
                                     image.rgb.size());
}

Image parse_pixmap(std::string_view bytes, const std::string& source) {
  Image image;
  const char* const end = bytes.data() + bytes.size();
  if (bytes.starts_with("P6\n")) {
    const char* const space = std::from_chars(bytes.data() + 3, end, image.width).ptr;
    if (space != end) std::from_chars(space + 1, end, image.height);
  }
  const bool sides = image.width >= 1 && image.width <= kMostSide && image.height >= 1 &&
                     image.height <= kMostSide;
  const std::string header = pixmap_header(image);
  require_file(
      sides && bytes.starts_with(header) &&
          bytes.size() - header.size() == size_t{3} * size_t(image.width) * size_t(image.height),
      source, "expected a pixmap \"P6, width, height, 255\" with its pixels");
  bytes.remove_prefix(header.size());
  image.rgb.assign(bytes.begin(), bytes.end());
  return image;
}

}  // namespace edgeprune::station
