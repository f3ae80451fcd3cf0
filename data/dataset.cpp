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

/// Which of the images a balanced selection of `count` takes: shuffles each class, then goes round
/// the classes taking one of each until there are enough.
std::vector<bool> select_balanced(const Dataset& dataset, int64_t count, uint64_t seed) {
  std::vector<std::vector<size_t>> of_class(dataset.classes.size());
  for (size_t i = 0; i < dataset.labels.size(); ++i) of_class.at(dataset.labels[i]).push_back(i);
  size_t rounds = 0;
  for (size_t label = 0; label < of_class.size(); ++label) {
    Rng(seed, kSelectionStream, label).shuffle(std::span(of_class[label]));
    rounds = std::max(rounds, of_class[label].size());
  }
  std::vector<bool> selected(dataset.images.size(), false);
  for (size_t round = 0; round < rounds; ++round) {
    for (const auto& indices : of_class) {
      if (round >= indices.size() || count == 0) continue;
      selected[indices[round]] = true;
      --count;
    }
  }
  return selected;
}

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

Dataset limit(Dataset dataset, int64_t count, uint64_t seed) {
  require(count >= 1, "limit", "at least one image expected, got {}", count);
  if (count >= dataset.size()) return dataset;
  return take(dataset, select_balanced(dataset, count, seed), true);
}

std::pair<Dataset, Dataset> hold_out(Dataset dataset, int64_t validation_images, uint64_t seed) {
  require(validation_images >= 0 && validation_images < dataset.size(), "hold_out",
          "cannot hold {} images out of {}: at least one must be left to train on",
          validation_images, dataset.size());
  const std::vector<bool> selected = select_balanced(dataset, validation_images, seed);
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
