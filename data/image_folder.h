#pragma once
// Images in one folder per class, the layout that torchvision calls ImageFolder.

#include <string>

#include "data/dataset.h"

namespace edgeprune {

/// True if `folder` has a train/ or a test/ folder.
bool is_image_folder(const std::string& folder);

/// Reads <folder>/{train,test}/<class>/*.{jpg,jpeg,png,bmp} (in any case), decoding on all threads.
/// Classes and, within a class, files are in order of name (bytes); hidden files and other
/// extensions are passed over. Throws FileError if the split is missing, a class has no images, an
/// image cannot be read (naming the first), or train and test, where both exist, do not have the
/// same classes.
Dataset read_image_folder(const std::string& folder, Split split);

}  // namespace edgeprune
