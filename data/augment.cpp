#include "data/augment.h"

#include <algorithm>

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

}  // namespace

Image augment(const Image& image, const Augmentation& augmentation, Rng& rng) {
  const int padding = augmentation.crop_padding;
  require(padding >= 0 && padding <= 1 << 14, "augment",
          "crop padding must be between 0 and 16384 pixels, got {}", padding);
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
  return result;
}

}  // namespace edgeprune
