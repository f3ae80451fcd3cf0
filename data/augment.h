#pragma once

#include "data/image.h"
#include "engine/base/random.h"

namespace edgeprune {

/// Random changes of a training image, at its own resolution.
struct Augmentation {
  bool flip = true;  ///< left-right, every other time
  /// Pad with this many black pixels a side and crop the old size out (torchvision's RandomCrop).
  int crop_padding = 0;
};

/// Throws std::invalid_argument unless 0 <= crop_padding <= 16384.
Image augment(const Image& image, const Augmentation& augmentation, Rng& rng);

}  // namespace edgeprune
