#pragma once
// Labelled images in memory, and ways to take a part of them.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/image.h"
#include "engine/base/names.h"

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
