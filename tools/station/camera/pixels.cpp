#include "tools/station/camera/pixels.h"

#include <algorithm>

#include "engine/base/check.h"

namespace edgeprune::station {
namespace {

/// Where red lies in each square of 2x2 pixels; blue lies across, green on the other two.
struct RedAt {
  int row, column;
};

RedAt red_of(PixelFormat format) {
  switch (format) {
    case PixelFormat::bayer_gr8:
      return {0, 1};
    case PixelFormat::bayer_gb8:
      return {1, 0};
    case PixelFormat::bayer_bg8:
      return {1, 1};
    default:
      return {0, 0};
  }
}

Image from_bayer(RedAt red, int height, int width, const uint8_t* pixels) {
  require(height >= 2 && width >= 2, "camera", "a Bayer image has 2x2 pixels at least, got {}x{}",
          width, height);
  // 0, 1, 2: the colour that the sensor has there.
  const auto colour_at = [&](int y, int x) {
    const bool red_row = (y & 1) == red.row, red_column = (x & 1) == red.column;
    return red_row == red_column ? (red_row ? 0 : 2) : 1;
  };
  Image image{height, width, std::vector<uint8_t>(size_t{3} * height * width)};
  uint8_t* to = image.rgb.data();
  for (int y = 0; y < height; ++y) {
    const int top = std::max(y - 1, 0), bottom = std::min(y + 1, height - 1);
    for (int x = 0; x < width; ++x, to += 3) {
      const int left = std::max(x - 1, 0), right = std::min(x + 1, width - 1);
      int sum[3] = {}, count[3] = {};
      for (int v = top; v <= bottom; ++v) {
        for (int u = left; u <= right; ++u) {
          const int colour = colour_at(v, u);
          // Green's diagonal neighbours are green, too, but further away than its own pixel.
          if (colour == colour_at(y, x) && (v != y || u != x)) continue;
          sum[colour] += pixels[size_t(v) * width + u];
          ++count[colour];
        }
      }
      for (int colour = 0; colour < 3; ++colour) {
        to[colour] = static_cast<uint8_t>((sum[colour] + count[colour] / 2) / count[colour]);
      }
    }
  }
  return image;
}

}  // namespace

int bytes_of(PixelFormat format) {
  return format == PixelFormat::rgb8 || format == PixelFormat::bgr8 ? 3 : 1;
}

Image to_rgb(PixelFormat format, int height, int width, std::span<const uint8_t> pixels) {
  require(height > 0 && width > 0, "camera", "expected an image with pixels, got {}x{}", width,
          height);
  const size_t count = static_cast<size_t>(height) * static_cast<size_t>(width);
  require(pixels.size() >= count * bytes_of(format), "camera",
          "{}x{} pixels of {} take {} bytes, got {}", width, height, name_of(kPixelFormats, format),
          count * bytes_of(format), pixels.size());
  if (format != PixelFormat::rgb8 && format != PixelFormat::bgr8 && format != PixelFormat::mono8) {
    return from_bayer(red_of(format), height, width, pixels.data());
  }
  Image image{height, width, std::vector<uint8_t>(3 * count)};
  const int step = bytes_of(format);
  const int first = format == PixelFormat::bgr8 ? 2 : 0, middle = step == 3 ? 1 : 0,
            last = step == 3 ? 2 - first : 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* from = pixels.data() + i * step;
    image.rgb[3 * i] = from[first];
    image.rgb[3 * i + 1] = from[middle];
    image.rgb[3 * i + 2] = from[last];
  }
  return image;
}

}  // namespace edgeprune::station
