#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

/// PIL computes with fixed-point weights of so many bits behind the point: 32 less eight of the
/// pixel and two of room for weights whose sum passes one.
constexpr int kWeightBits = 32 - 8 - 2;

/// Which source pixels an output pixel is the weighted mean of.
struct Window {
  int first = 0;
  std::vector<int32_t> weights;
};

/// The triangle filter, as wide as the reduction: every source pixel has its say, which is what
/// keeps a scratch of few pixels. Enlarged, it is bilinear interpolation.
std::vector<Window> make_windows(int from, int to) {
  const double ratio = static_cast<double>(from) / to;
  const double radius = std::max(ratio, 1.0);
  std::vector<Window> windows(static_cast<size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * ratio;
    const int first = std::max(0, static_cast<int>(centre - radius + 0.5));
    const int end = std::min(from, static_cast<int>(centre + radius + 0.5));
    std::vector<double> shares;
    double sum = 0;
    for (int k = first; k < end; ++k) {
      const double distance = std::abs((k - centre + 0.5) * (1.0 / radius));
      shares.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      sum += shares.back();
    }
    windows[i].first = first;
    for (const double share : shares) {
      windows[i].weights.push_back(static_cast<int32_t>(0.5 + share / sum * (1 << kWeightBits)));
    }
  }
  return windows;
}

/// The mean over a window of bytes that lie `step` apart, rounded.
uint8_t mean(const Window& window, const uint8_t* pixels, size_t step) {
  int32_t sum = 1 << (kWeightBits - 1);
  const uint8_t* pixel = pixels + static_cast<size_t>(window.first) * step;
  for (const int32_t weight : window.weights) {
    sum += weight * *pixel;
    pixel += step;
  }
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

Image resize_width(const Image& image, int width) {
  const std::vector<Window> windows = make_windows(image.width, width);
  Image result{image.height, width, {}};
  result.rgb.resize(static_cast<size_t>(image.height) * width * 3);
  uint8_t* out = result.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row = image.rgb.data() + size_t{3} * y * image.width;
    for (const Window& window : windows) {
      for (size_t c = 0; c < 3; ++c) *out++ = mean(window, row + c, 3);
    }
  }
  return result;
}

Image resize_height(const Image& image, int height) {
  const size_t row_bytes = size_t{3} * image.width;
  Image result{height, image.width, {}};
  result.rgb.resize(height * row_bytes);
  uint8_t* out = result.rgb.data();
  for (const Window& window : make_windows(image.height, height)) {
    for (size_t i = 0; i < row_bytes; ++i) *out++ = mean(window, image.rgb.data() + i, row_bytes);
  }
  return result;
}

/// Copies `image` into the middle of a black image, or the middle of it where it is larger. Where
/// the middle is half a pixel off, rounds as torchvision's CenterCrop and PIL's ImageOps.pad do.
Image centred(const Image& image, int out_height, int out_width) {
  Image result{out_height, out_width, std::vector<uint8_t>(size_t{3} * out_height * out_width, 0)};
  const int height = std::min(out_height, image.height), width = std::min(out_width, image.width);
  const auto margin = [](int all, int part) {
    return static_cast<int>(std::nearbyint((all - part) / 2.0));
  };
  const int from_y = margin(image.height, height), from_x = margin(image.width, width);
  const int to_y = margin(out_height, height), to_x = margin(out_width, width);
  for (int y = 0; y < height; ++y) {
    const uint8_t* row =
        image.rgb.data() + 3 * (static_cast<size_t>(from_y + y) * image.width + from_x);
    std::copy_n(row, 3 * width,
                result.rgb.data() + 3 * (static_cast<size_t>(to_y + y) * out_width + to_x));
  }
  return result;
}

/// A crop shows the middle only: of a strip a thousand times as long as wide, what is far from it
/// need not be enlarged, to gigabytes.
Image without_far_ends(Image image) {
  constexpr int kLongest = 8;  // times the shorter side
  const int longest = kLongest * std::min(image.height, image.width);
  if (std::max(image.height, image.width) <= longest) return image;
  return centred(image, std::min(image.height, longest), std::min(image.width, longest));
}

}  // namespace

Image resize(const Image& image, int height, int width) {
  require(height >= 1 && width >= 1, "resize", "expected at least one pixel, got {} x {}", width,
          height);
  require(image.height > 0 && image.width > 0 &&
              image.rgb.size() == size_t{3} * image.height * image.width,
          "resize", "image of {} x {} pixels has {} bytes", image.width, image.height,
          image.rgb.size());
  if (height == image.height && width == image.width) return image;
  if (width == image.width) return resize_height(image, height);
  Image narrow = resize_width(image, width);
  return height == image.height ? narrow : resize_height(narrow, height);
}

Image fit(Image image, Resize how, int size) {
  require(size >= 1, "resize", "expected at least one pixel, got {}", size);
  if (how == Resize::plain) return image;
  if (how == Resize::squash || image.height == image.width) {
    if (image.height <= size && image.width <= size) return image;
    return resize(image, std::min(image.height, size), std::min(image.width, size));
  }
  // The side that becomes `size`; the other one in proportion, rounded as theirs (centred()).
  const bool whole = how == Resize::pad;
  if (!whole) image = without_far_ends(std::move(image));
  const auto [shorter, longer] = std::minmax(image.height, image.width);
  const int leading = whole ? longer : shorter;
  const auto scaled = [&](int side) {
    return whole ? std::max(1, static_cast<int>(std::nearbyint(1.0 * side / leading * size)))
                 : static_cast<int>(1.0 * size * side / leading);
  };
  return centred(resize(image, scaled(image.height), scaled(image.width)), size, size);
}

}  // namespace edgeprune
