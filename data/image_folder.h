#pragma once
// Images in one folder per class, the layout that torchvision calls ImageFolder.

#include <string>

#include "data/dataset.h"

namespace edgeprune {

/// True if the name ends in one of image_extensions(), in any case.
bool has_image_extension(const std::string& path);

/// True if `folder` has a train/ folder, or one that test images are read from.
bool is_image_folder(const std::string& folder);

/// Reads <folder>/{train,test}/<class>/ (for test/ val/, valid/ or validation/ serves, too): files that
/// end in one of image_extensions(), in any case. Classes and, within a class, files are in order of
/// name (bytes). Hidden files are passed over; other extensions, further folders and links to nothing
/// are, too, and are counted in a warning. Bytes of a class's name that are no UTF-8 are written as
/// \xE9, as names go into JSON. Throws FileError if the split is missing, a class has no images,
/// images cannot be read (naming them), or train and test, where both exist, do not have the same
/// classes.
Dataset read_image_folder(const std::string& folder, Split split, const ReadOptions& options);

}  // namespace edgeprune
