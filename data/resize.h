#pragma once
// Images of any size made fit for a network's square, before they are kept in memory.

#include "data/image.h"
#include "models/resize.h"

namespace edgeprune {

/// Resizes with antialiasing: what PIL's Image.resize((width, height), BILINEAR) and torchvision's
/// Resize give, in PIL's arithmetic, to the bit. Throws std::invalid_argument unless the image has pixels
/// and is to have some.
Image resize(const Pixels& image, int height, int width);

/// The image as the Preprocessor takes it for networks of side `size`: at most that high and wide.
/// Squashed (and whatever is square already), sides that are not longer stay as they are, for the
/// Preprocessor to enlarge in float32; padded or cropped, the image has exactly that size. `plain`
/// changes nothing. Throws as resize().
Image fit(const Pixels& image, Resize how, int size);

}  // namespace edgeprune
