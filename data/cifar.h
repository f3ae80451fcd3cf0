#pragma once
// CIFAR-10 and CIFAR-100 as they are downloaded (https://www.cs.toronto.edu/~kriz/cifar.html): a folder
// or an archive of batches, each of labels and 3,072 pixels an image: 1,024 red, then green, then blue,
// each row by row.

#include <string>

#include "data/dataset.h"

namespace edgeprune {

/// True if `location` is a folder with batches, or with a folder of the archives' names that has some,
/// or an archive (.tar, .tar.gz, .tgz).
bool is_cifar(const std::string& location);

/// Reads the batches of the split. Class names come from the file that lies beside them; CIFAR-10's
/// are known without. CIFAR-100 has its 100 fine labels. A batch may hold any whole number of records,
/// so that an excerpt is read too. Throws FileError if a file is missing, empty, damaged, cut off in
/// mid-record or has a label that is too large.
Dataset read_cifar(const std::string& location, Split split);

}  // namespace edgeprune
