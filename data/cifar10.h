#pragma once
// CIFAR-10's binary version (https://www.cs.toronto.edu/~kriz/cifar.html): files of records of
// 3,073 bytes, one label and 3,072 pixels: 1,024 red, then green, then blue, each row by row.

#include <string>

#include "data/dataset.h"

namespace edgeprune {

/// True if `folder`, or cifar-10-batches-bin/ in it, holds a batch file.
bool is_cifar10(const std::string& folder);

/// Reads data_batch_1.bin to data_batch_5.bin (train) or test_batch.bin (test) of `folder` or of
/// cifar-10-batches-bin/ in it. Class names come from batches.meta.txt if it is there. A batch may
/// hold any whole number of records, so that an excerpt is read too. Throws FileError if a file is
/// missing, empty, cut off in mid-record or has a label above 9.
Dataset read_cifar10(const std::string& folder, Split split);

}  // namespace edgeprune
