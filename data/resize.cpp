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
uint8_t mean(const Window& window, const uint8_t* pixels, std::ptrdiff_t step) {
  int32_t sum = 1 << (kWeightBits - 1);
  const uint8_t* pixel = pixels + window.first * step;
  for (const int32_t weight : window.weights) {
    sum += weight * *pixel;
    pixel += step;
  }
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

Image resize_width(const Pixels& image, int width) {
  const std::vector<Window> windows = make_windows(image.width, width);
  Image result{image.height, width, {}};
  result.rgb.resize(size_t{3} * image.height * width);
  uint8_t* out = result.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row = image.first + y * image.down;
    for (const Window& window : windows) {
      for (int c = 0; c < 3; ++c) *out++ = mean(window, row + c, image.right);
    }
  }
  return result;
}

Image resize_height(const Pixels& image, int height) {
  Image result{height, image.width, {}};
  result.rgb.resize(size_t{3} * height * image.width);
  uint8_t* out = result.rgb.data();
  for (const Window& window : make_windows(image.height, height)) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c)
        *out++ = mean(window, image.first + x * image.right + c, image.down);
    }
  }
  return result;
}

/// From the middle of `all` pixels, or around it. Where the middle is half a pixel off, rounds as
/// torchvision's CenterCrop and PIL's ImageOps.pad do.
int margin(int all, int part) {
  return static_cast<int>(std::nearbyint((all - part) / 2.0));
}

Pixels middle(const Pixels& image, int height, int width) {
  return image.part(margin(image.height, height), margin(image.width, width), height, width);
}

/// The middle of a black square is the image, or the middle of that where it is larger.
Image centred(const Pixels& image, int size) {
  Image result{size, size, std::vector<uint8_t>(size_t{3} * size * size, 0)};
  const int height = std::min(size, image.height), width = std::min(size, image.width);
  const Image inner = middle(image, height, width).copy();
  for (int y = 0; y < height; ++y) {
    std::copy_n(
        inner.rgb.data() + size_t{3} * y * width, 3 * width,
        result.rgb.data() + 3 * (size_t(margin(size, height) + y) * size + margin(size, width)));
  }
  return result;
}

/// A crop shows the middle only: of a strip a thousand times as long as wide, what is far from it
/// need not be enlarged, to gigabytes.
Pixels without_far_ends(const Pixels& image) {
  constexpr int kLongest = 8;  // times the shorter side
  const int longest = kLongest * std::min(image.height, image.width);
  return middle(image, std::min(image.height, longest), std::min(image.width, longest));
}

}  // namespace

Image resize(const Pixels& image, int height, int width) {
  require(image.height > 0 && image.width > 0 && height > 0 && width > 0, "resize",
          "expected at least one pixel, got {} x {} to {} x {}", image.width, image.height, width,
          height);
  if (width == image.width && height == image.height) return image.copy();
  if (width == image.width) return resize_height(image, height);
  Image narrow = resize_width(image, width);
  return height == image.height ? narrow : resize_height(narrow, height);
}

Image fit(const Pixels& whole, Resize how, int size) {
  require(size >= 1, "resize", "expected at least one pixel, got {}", size);
  if (how == Resize::plain) return whole.copy();
  if (how == Resize::squash || whole.height == whole.width) {
    return resize(whole, std::min(whole.height, size), std::min(whole.width, size));
  }
  const bool pad = how == Resize::pad;
  const Pixels image = pad ? whole : without_far_ends(whole);
  // The side that becomes `size`; the other one in proportion, rounded as theirs (margin()).
  const int leading =
      pad ? std::max(image.height, image.width) : std::min(image.height, image.width);
  const auto scaled = [&](int side) {
    return pad ? std::max(1, static_cast<int>(std::nearbyint(1.0 * side / leading * size)))
               : static_cast<int>(1.0 * size * side / leading);
  };
  return centred(resize(image, scaled(image.height), scaled(image.width)), size);
}

}  // namespace edgeprune
