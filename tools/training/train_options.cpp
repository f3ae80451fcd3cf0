#include "tools/training/train_options.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/check.h"

namespace edgeprune {

void require_validation(const TrainOptions& options, int64_t validation_images) {
  require(options.patience == 0 || validation_images > 0, "train",
          "--patience needs images held out, by --val-split, to tell whether training gets better");
}

bool parse_class_weights(const std::string& name) {
  require(std::ranges::count(kClassWeights, name) == 1, "class weights", "expected {}, got '{}'",
          fmt::join(kClassWeights, " or "), name);
  return name == "balanced";
}

std::vector<float> balanced_weights(const std::vector<int>& labels, size_t classes) {
  std::vector<int64_t> counts(classes, 0);
  for (const int label : labels) ++counts.at(static_cast<size_t>(label));
  std::vector<float> weights;
  for (const int64_t count : counts) {
    weights.push_back(
        count > 0 ? static_cast<float>(double(labels.size()) / (double(classes) * double(count)))
                  : 0.0f);
  }
  return weights;
}

std::string batch_note(int64_t images, int64_t batch) {
  if (images < batch)
    return fmt::format("batches of {} images, which are all (--batch {})", images, batch);
  if (batch < kSmallestBatch || images % batch == 0 || images % batch >= kSmallestBatch) return "";
  return fmt::format(
      "one of the {} images, another one each epoch, is left out: batches of {} leave it alone, "
      "and "
      "batch norm takes no statistics of one image (--batch)",
      images, batch);
}

}  // namespace edgeprune
