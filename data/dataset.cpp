#include "data/dataset.h"

#include <algorithm>
#include <memory>
#include <span>
#include <stdexcept>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/random.h"

namespace edgeprune {
namespace {

// Random streams of a run's seed count from here, out of reach of those that count from zero.
constexpr uint64_t kSelectionStream = uint64_t{1} << 40;

/// Moves the images whose flag equals `wanted` out of `dataset`.
Dataset take(Dataset& dataset, const std::vector<bool>& selected, bool wanted) {
  Dataset part;
  part.classes = dataset.classes;
  part.source = dataset.source;
  for (size_t i = 0; i < selected.size(); ++i) {
    if (selected[i] != wanted) continue;
    part.images.push_back(std::move(dataset.images[i]));
    part.labels.push_back(dataset.labels[i]);
  }
  return part;
}

}  // namespace

std::vector<bool> select_in_proportion(const std::vector<int>& labels, size_t classes,
                                       int64_t count, uint64_t seed, size_t spared) {
  std::vector<std::vector<size_t>> of_class(classes);
  for (size_t i = 0; i < labels.size(); ++i) of_class.at(labels[i]).push_back(i);
  struct Turn {
    double when;
    size_t label, index;
  };
  std::vector<Turn> turns;
  for (size_t label = 0; label < classes; ++label) {
    std::vector<size_t>& indices = of_class[label];
    Rng(seed, kSelectionStream, label).shuffle(std::span(indices));
    // A class of n has its turns evenly between 0 and 1, but its first at once. (Sainte-Lague's
    // method: unlike that of the largest remainder, a larger parliament takes no seat away.)
    for (size_t rank = 0; rank + spared < indices.size(); ++rank) {
      const double when = rank == 0 ? 0 : (double(rank) + 0.5) / double(indices.size());
      turns.push_back({when, label, indices[rank]});
    }
  }
  std::stable_sort(turns.begin(), turns.end(),
                   [](const Turn& a, const Turn& b) { return a.when < b.when; });
  std::vector<bool> selected(labels.size(), false);
  const size_t taken = std::min(turns.size(), static_cast<size_t>(std::max<int64_t>(count, 0)));
  for (size_t i = 0; i < taken; ++i) selected[turns[i].index] = true;
  return selected;
}

Dataset limit(Dataset dataset, int64_t count, uint64_t seed) {
  require(count >= 1, "limit", "at least one image expected, got {}", count);
  if (count >= dataset.size()) return dataset;
  const std::vector<bool> selected =
      select_in_proportion(dataset.labels, dataset.classes.size(), count, seed);
  return take(dataset, selected, true);
}

std::pair<Dataset, Dataset> hold_out(Dataset dataset, int64_t validation_images, uint64_t seed) {
  const std::vector<bool> selected =
      select_in_proportion(dataset.labels, dataset.classes.size(), validation_images, seed, 1);
  const int64_t most = std::count(selected.begin(), selected.end(), true);
  require(validation_images >= 0 && validation_images == most && most < dataset.size(), "hold_out",
          "cannot hold {} images out of {}: at least one of each class must be left to train on",
          validation_images, dataset.size());
  Dataset training = take(dataset, selected, false);
  return {std::move(training), take(dataset, selected, true)};
}

std::string fingerprint(const Dataset& dataset) {
  Digest hash;
  for (const std::string& name : dataset.classes) hash.add(name);
  for (size_t i = 0; i < dataset.images.size(); ++i) {
    const Image& image = dataset.images[i];
    const int32_t header[] = {dataset.labels[i], image.height, image.width};
    hash.add(header, sizeof header);
    hash.add(image.rgb.data(), image.rgb.size());
  }
  return hash.hex();
}

}  // namespace edgeprune
