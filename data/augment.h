#pragma once

#include "data/image.h"
#include "engine/base/random.h"

namespace edgeprune {

/// Random changes of a training image, at its own resolution.
struct Augmentation {
  bool flip = true;  ///< left-right, every other time
  /// Pad with this many black pixels a side and crop the old size out (torchvision's RandomCrop).
  int crop_padding = 0;
  float rotation = 0;  ///< turn by up to so many degrees either way about the middle; black outside
  /// Brightness, contrast and saturation times a factor each from 1 - colour to 1 + colour.
  float colour = 0;
};

/// Throws std::invalid_argument unless 0 <= crop_padding <= 16384,
/// 0 <= rotation <= 180 and 0 <= colour <= 1.
Image augment(const Image& image, const Augmentation& augmentation, Rng& rng);

}  // namespace edgeprune
