#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace edgeprune {

/// Reads the images of `dataset`'s labels from these files on all threads, each made fit for the
/// network as soon as it is decoded, so that large photographs take no more memory than small
/// copies. Throws FileError that names the images which cannot be read; with `skip_bad` it says so
/// instead and drops them, unless all are bad.
void read_images(const std::vector<std::string>& paths, const ReadOptions& options,
                 Dataset& dataset);

}  // namespace edgeprune
