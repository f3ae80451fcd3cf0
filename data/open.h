#pragma once

#include <string>

#include "data/dataset.h"

namespace edgeprune {

/// Throws std::invalid_argument on what no data can be called: synthetic:N without a number of images
/// N.
void check_location(const std::string& location);

/// Reads the data that `location` names, whatever its kind:
/// - "synthetic" or "synthetic:N": the built-in set of 2,000 or N training images and a quarter as
///   many test images;
/// - a folder with train/ or test/: an image folder;
/// - CIFAR-10 or CIFAR-100, unpacked or as the archive that was downloaded (cifar.h).
/// All images are then fit for the network (resize.h). Throws FileError, saying what was looked for, if it is none of these; else what the reader
/// throws.
Dataset open_dataset(const std::string& location, Split split, const ReadOptions& options);

}  // namespace edgeprune
