#include "tools/measurement/evaluate.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/ops/cross_entropy.h"
#include "tools/measurement/infer.h"

namespace edgeprune {
namespace {

/// By image, whether its largest logit is its label's.
std::vector<bool> correct_ones(const Tensor& logits, const std::vector<int>& labels) {
  const int64_t classes = logits.dim(1);
  std::vector<bool> correct;
  for (size_t n = 0; n < labels.size(); ++n) {
    const float* row = logits.data() + static_cast<int64_t>(n) * classes;
    correct.push_back(std::max_element(row, row + classes) - row == labels[n]);
  }
  return correct;
}

}  // namespace

std::string correct_digits(const Tensor& logits, const std::vector<int>& labels) {
  require(logits.defined() && logits.shape().rank() == 2 && logits.dim(0) == std::ssize(labels),
          "correct", "expected logits [{},classes], got {}", labels.size(),
          logits.defined() ? logits.shape().to_string() : "none");
  const std::vector<bool> correct = correct_ones(logits, labels);
  std::string digits;
  for (size_t first = 0; first < correct.size(); first += 4) {
    int digit = 0;
    for (size_t n = first; n < first + 4; ++n) {
      digit = 2 * digit + (n < correct.size() && correct[n] ? 1 : 0);
    }
    digits += "0123456789abcdef"[digit];
  }
  return digits;
}

void require_same_classes(const std::vector<std::string>& classes, const Dataset& dataset) {
  require(classes.size() == dataset.classes.size(), "data", "the model has {} classes, {} has {}",
          classes.size(), dataset.source, dataset.classes.size());
  for (size_t i = 0; i < classes.size(); ++i) {
    require(classes[i] == dataset.classes[i], "data", "class {} is '{}' in the model, '{}' in {}",
            i, classes[i], dataset.classes[i], dataset.source);
  }
}

Evaluation evaluate(const MobileNetV2& model, const ModelInfo& info, const Dataset& dataset,
                    inference::Engine engine, int64_t batch) {
  require_same_classes(info.classes, dataset);
  const Inference all = infer("evaluate", model, info, dataset, engine, batch);
  const int64_t images = std::ssize(all.labels);
  const std::vector<bool> right = correct_ones(all.logits, all.labels);
  const int64_t correct = std::count(right.begin(), right.end(), true);
  return {.accuracy = double(correct) / double(images),
          .loss = ops::cross_entropy(Variable(all.logits), all.labels).value().data()[0],
          .images = images,
          .ms_per_image = all.ms_per_image,
          .logits = all.logits};
}

}  // namespace edgeprune
