#pragma once
// The batches of CIFAR's Python version: dicts, pickled, with a NumPy array of pixels. Nothing of them
// is executed (models/pth/pickle.h).

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edgeprune {

struct PickledBatch {
  std::vector<int64_t> labels;
  std::string pixels;  ///< [labels, 3072]
};

/// Throws FileError("path: ...") unless the file is a pickled dict with a list of labels under that key
/// and as many rows of bytes under "data".
PickledBatch read_pickled_batch(std::span<const char> file, const std::string& path,
                                const std::string& labels);

/// The list of texts under `key`. Throws FileError("path: ...") if there is none.
std::vector<std::string> read_pickled_names(std::span<const char> file, const std::string& path,
                                            const std::string& key);

}  // namespace edgeprune
