#pragma once
// Labelled images in memory, and ways to take a part of them.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/image.h"
#include "engine/base/names.h"
#include "models/resize.h"

namespace edgeprune {

enum class Split { train, test };

inline constexpr Named<Split> kSplits[] = {{Split::train, "train"}, {Split::test, "test"}};
static_assert(in_order(kSplits));
inline const char* to_string(Split split) {
  return name_of(kSplits, split);
}

/// images[i] is of class classes[labels[i]].
struct Dataset {
  std::vector<Image> images;
  std::vector<int> labels;
  std::vector<std::string> classes;
  std::string source;  ///< where it came from, for people

  int64_t size() const { return static_cast<int64_t>(images.size()); }
};

/// How a data set is read into memory.
struct ReadOptions {
  int input_size = 64;  ///< of the network: larger images are made fit for it as they are read
  Resize resize = Resize::squash;
  int64_t limit = 0;      ///< at most so many images, in proportion to the classes; 0: all
  uint64_t seed = 0;      ///< decides which
  bool skip_bad = false;  ///< go on without images that cannot be read
  /// Receives a line about what was passed over, left out, or taken for something else.
  std::function<void(const std::string&)> say = [](const std::string&) {};
};

/// Chooses `count` of the images with these labels, by chance, but of each class in proportion to its
/// size; and of a rare class the first at least, if there are as many images as classes. A smaller
/// count selects a part of what a larger one does. At least `spared` of each class are never chosen,
/// so that there may be fewer than `count`. True: chosen.
std::vector<bool> select_in_proportion(const std::vector<int>& labels, size_t classes,
                                       int64_t count, uint64_t seed, size_t spared = 0);

/// At most `count` images, chosen so, in the data's order. Throws std::invalid_argument if
/// count < 1.
Dataset limit(Dataset dataset, int64_t count, uint64_t seed);

/// Splits off a validation set, chosen so; of each class one image at least is left to train on.
/// Both keep the data's order: {training, validation}. Throws std::invalid_argument if there are not
/// so many images to spare, or `validation_images` is negative.
std::pair<Dataset, Dataset> hold_out(Dataset dataset, int64_t validation_images, uint64_t seed);

/// SHA-256, in hex, of class names, labels, image sizes and pixels, so that a resumed run can tell
/// that the data changed.
std::string fingerprint(const Dataset& dataset);

}  // namespace edgeprune
