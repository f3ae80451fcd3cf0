#include "tools/experiment/evaluate.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/ops/cross_entropy.h"
#include "tools/experiment/infer.h"

namespace edgeprune {

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
  const int64_t images = std::ssize(all.labels), classes = all.logits.dim(1);
  int64_t correct = 0;
  for (int64_t n = 0; n < images; ++n) {
    const float* row = all.logits.data() + n * classes;
    correct += std::max_element(row, row + classes) - row == all.labels[static_cast<size_t>(n)];
  }
  return {.accuracy = double(correct) / double(images),
          .loss = ops::cross_entropy(Variable(all.logits), all.labels).value().data()[0],
          .images = images,
          .ms_per_image = all.ms_per_image,
          .logits = all.logits};
}

}  // namespace edgeprune
