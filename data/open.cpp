#include "data/open.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "data/cifar.h"
#include "data/image_folder.h"
#include "data/resize.h"
#include "data/synthetic.h"
#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr std::string_view kSynthetic = "synthetic";
constexpr int64_t kSyntheticImages = 2000;
constexpr uint64_t kSyntheticSeed = 0;  // the data is fixed; a run's seed is for its training

bool is_synthetic(std::string_view location) {
  return location == kSynthetic || location.starts_with("synthetic:");
}

/// Of training images.
int64_t synthetic_images(std::string_view location) {
  if (location == kSynthetic) return kSyntheticImages;
  int64_t images = 0;
  const std::string_view number = location.substr(kSynthetic.size() + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), images);
  const bool whole = error == std::errc() && end == number.data() + number.size();
  require(whole && images >= 1 && images <= kMostSyntheticImages, "data",
          "expected synthetic:N with a number N of images from 1 to {}, got '{}'",
          kMostSyntheticImages, location);
  return images;
}

Dataset open_synthetic(std::string_view location, Split split) {
  const int64_t images = synthetic_images(location);
  return synthetic(split == Split::train ? images : std::max<int64_t>(images / 4, 1), split,
                   kSyntheticSeed);
}

/// What image folders do while they decode.
Dataset part_and_fit(Dataset dataset, const ReadOptions& options) {
  if (options.limit > 0) dataset = limit(std::move(dataset), options.limit, options.seed);
  for (Image& image : dataset.images) {
    image = fit(image, options.resize, options.input_size);
  }
  return dataset;
}

}  // namespace

void check_location(const std::string& location) {
  if (is_synthetic(location)) synthetic_images(location);
}

Dataset open_dataset(const std::string& location, Split split, const ReadOptions& options) {
  if (is_synthetic(location)) return part_and_fit(open_synthetic(location, split), options);
  std::error_code ignored;
  require_file(std::filesystem::exists(location, ignored), location, "no such folder");
  if (is_image_folder(location)) return read_image_folder(location, split, options);
  if (is_cifar(location)) return part_and_fit(read_cifar(location, split), options);
  require_file(std::filesystem::is_directory(location, ignored), location,
               "is a file, a folder of data or an archive of CIFAR (.tar.gz) was expected");
  throw FileError(location +
                  ": no data found: looked for train/ and test/ or val/ (folders of images by "
                  "class), data_batch_1.bin to data_batch_5.bin and test_batch.bin (CIFAR-10 "
                  "binary), train.bin and test.bin (CIFAR-100), the same for Python, and "
                  "cifar-10-batches-bin/ or "
                  "cifar-100-binary/ with those");
}

}  // namespace edgeprune
