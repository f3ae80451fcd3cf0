#include "data/read_images.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/parallel.h"

namespace edgeprune {
namespace {

/// The images that could not be read, in a line; of thousands the first ones.
std::string list_of(const std::vector<std::string>& errors, size_t images) {
  constexpr size_t kNamed = 20;
  const size_t named = std::min(errors.size(), kNamed);
  return fmt::format(
      "{} of {} images cannot be read: {}{}", errors.size(), images,
      fmt::join(errors.begin(), errors.begin() + std::ptrdiff_t(named), "; "),
      errors.size() > named ? fmt::format("; and {} more", errors.size() - named) : "");
}

/// Drops the images without pixels.
void drop_empty(Dataset& dataset) {
  size_t kept = 0;
  for (size_t i = 0; i < dataset.images.size(); ++i) {
    if (dataset.images[i].rgb.empty()) continue;
    if (kept != i) dataset.images[kept] = std::move(dataset.images[i]);
    dataset.labels[kept++] = dataset.labels[i];
  }
  dataset.images.resize(kept);
  dataset.labels.resize(kept);
}

}  // namespace

void read_images(const std::vector<std::string>& paths, const ReadOptions& options,
                 Dataset& dataset) {
  const std::vector<int> labels = dataset.labels;
  dataset.images.resize(paths.size());
  std::vector<std::string> problems(paths.size());
  const Pieces pieces(std::ssize(paths), 1);
  parallel_for(pieces, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      try {
        dataset.images[i] = read_image(paths[i], options.resize, options.input_size);
      } catch (const FileError& error) {
        problems[i] = error.what();
      }
    }
  });
  std::erase(problems, "");
  if (problems.empty()) return;
  const std::string problem = list_of(problems, paths.size());
  if (!options.skip_bad) {
    throw FileError(problem + " (--skip-bad-images goes on without what cannot be read)");
  }
  if (problems.size() == paths.size()) throw FileError(problem);
  options.say("warning: left out: " + problem);
  drop_empty(dataset);
  for (size_t label = 0; label < dataset.classes.size(); ++label) {
    const bool empty = std::ranges::count(dataset.labels, static_cast<int>(label)) == 0;
    const bool was = std::ranges::count(labels, static_cast<int>(label)) == 0;
    if (empty && !was) {
      throw FileError(
          fmt::format("no image of class '{}' can be read: {}", dataset.classes[label], problem));
    }
  }
}

}  // namespace edgeprune
