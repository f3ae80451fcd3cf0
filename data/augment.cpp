#include "data/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

void flip_left_right(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    uint8_t* row = image.rgb.data() + int64_t{3} * y * image.width;
    for (int left = 0, right = image.width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + 3 * left, row + 3 * left + 3, row + 3 * right);
    }
  }
}

/// result(y, x) = image(y + down, x + right), black outside.
Image shifted(const Image& image, int down, int right) {
  Image result{image.height, image.width, std::vector<uint8_t>(image.rgb.size(), 0)};
  const int first = std::max(0, -right);
  const int last = std::min(image.width, image.width - right);
  if (first >= last) return result;
  for (int y = std::max(0, -down); y < std::min(image.height, image.height - down); ++y) {
    const uint8_t* from = image.rgb.data() + 3 * (int64_t{y + down} * image.width + first + right);
    std::copy_n(from, 3 * (last - first),
                result.rgb.data() + 3 * (int64_t{y} * image.width + first));
  }
  return result;
}

/// Between the four nearest pixels in a line; what lies outside is black.
Image turned(const Image& image, double degrees) {
  Image result{image.height, image.width, std::vector<uint8_t>(image.rgb.size(), 0)};
  const double angle = degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
  const double middle_y = 0.5 * (image.height - 1), middle_x = 0.5 * (image.width - 1);
  const auto at = [&](int y, int x, int channel) -> double {
    if (y < 0 || x < 0 || y >= image.height || x >= image.width) return 0;
    return image.rgb[static_cast<size_t>(3 * (int64_t{y} * image.width + x) + channel)];
  };
  uint8_t* out = result.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const double from_y = middle_y + c * (y - middle_y) + s * (x - middle_x);
      const double from_x = middle_x - s * (y - middle_y) + c * (x - middle_x);
      const int top = static_cast<int>(std::floor(from_y)), left = int(std::floor(from_x));
      const double down = from_y - top, right = from_x - left;
      for (int channel = 0; channel < 3; ++channel) {
        const double value =
            (1 - down) *
                ((1 - right) * at(top, left, channel) + right * at(top, left + 1, channel)) +
            down *
                ((1 - right) * at(top + 1, left, channel) + right * at(top + 1, left + 1, channel));
        *out++ = static_cast<uint8_t>(std::lround(value));
      }
    }
  }
  return result;
}

double grey_of(const uint8_t* rgb) {
  return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

/// Brightness is multiplied, then contrast about the image's mean grey, then saturation about each
/// pixel's own grey.
void recolour(Image& image, double brightness, double contrast, double saturation) {
  double mean = 0;
  for (size_t i = 0; i < image.rgb.size(); i += 3) mean += grey_of(&image.rgb[i]);
  mean *= brightness / (double(image.rgb.size()) / 3);
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    const double grey = mean + contrast * (brightness * grey_of(&image.rgb[i]) - mean);
    for (size_t channel = i; channel < i + 3; ++channel) {
      const double value = mean + contrast * (brightness * image.rgb[channel] - mean);
      image.rgb[channel] = static_cast<uint8_t>(
          std::lround(std::clamp(grey + saturation * (value - grey), 0.0, 255.0)));
    }
  }
}

}  // namespace

Image augment(const Image& image, const Augmentation& augmentation, Rng& rng) {
  const int padding = augmentation.crop_padding;
  require(padding >= 0 && padding <= 1 << 14, "augment",
          "crop padding must be between 0 and 16384 pixels, got {}", padding);
  require(augmentation.rotation >= 0 && augmentation.rotation <= 180, "augment",
          "rotation must be between 0 and 180 degrees, got {}", augmentation.rotation);
  require(augmentation.colour >= 0 && augmentation.colour <= 1, "augment",
          "colour must be between 0 and 1, got {}", augmentation.colour);
  const bool flip = augmentation.flip && rng.below(2) == 1;
  Image result;
  if (padding > 0) {
    const uint64_t offsets = 2 * static_cast<uint64_t>(padding) + 1;
    const int down = static_cast<int>(rng.below(offsets)) - padding;
    const int right = static_cast<int>(rng.below(offsets)) - padding;
    result = shifted(image, down, right);
  } else {
    result = image;
  }
  if (flip) flip_left_right(result);
  // Drawn behind the others, whose numbers so stay what they are without these.
  const auto between = [&](double low, double high) { return low + (high - low) * rng.uniform(); };
  if (augmentation.rotation > 0) {
    result = turned(result, between(-augmentation.rotation, augmentation.rotation));
  }
  if (augmentation.colour > 0) {
    const double low = 1 - augmentation.colour, high = 1 + augmentation.colour;
    const double brightness = between(low, high), contrast = between(low, high);
    recolour(result, brightness, contrast, between(low, high));
  }
  return result;
}

}  // namespace edgeprune
