#include "tools/experiment/evaluate.h"

#include <algorithm>

#include "data/loader.h"
#include "engine/base/check.h"
#include "engine/base/timer.h"
#include "engine/ops/cross_entropy.h"
#include "models/fold.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/experiment/memory.h"

namespace edgeprune {

namespace {

Evaluation run(const MobileNetV2& model, const ModelInfo& info, const Dataset& dataset,
               inference::Engine engine, int64_t batch) {
  const inference::Graph graph = fold_batch_norm(model);
  LoaderOptions loading;
  loading.batch = batch;
  loading.input_size = static_cast<int>(model.architecture().input_size);
  loading.normalisation = {info.mean, info.std};
  Loader loader(dataset, loading);
  std::unique_ptr<inference::Plan> plan;
  Evaluation result;
  Progress progress("evaluate", dataset.size(), "images");
  int64_t correct = 0;
  double loss = 0, milliseconds = 0;
  Batch images;
  loader.start_epoch(0);
  while (loader.next(images)) {
    throw_if_interrupted();
    const int64_t count = images.input.dim(0);
    if (!plan || plan->batch() != count) {
      plan = std::make_unique<inference::Plan>(graph, engine, count);
    }
    Tensor logits({count, plan->classes()});
    const Stopwatch watch;
    plan->run(images.input.data(), logits.data());
    milliseconds += watch.milliseconds();
    for (int64_t n = 0; n < count; ++n) {
      const float* row = logits.data() + n * plan->classes();
      correct += std::max_element(row, row + plan->classes()) - row == images.labels[size_t(n)];
    }
    loss += double(count) * ops::cross_entropy(Variable(logits), images.labels).value().data()[0];
    result.images += count;
    progress.advance(count);
  }
  result.accuracy = double(correct) / double(result.images);
  result.loss = loss / double(result.images);
  result.ms_per_image = milliseconds / double(result.images);
  return result;
}

}  // namespace

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
  return explain_bad_alloc("evaluate",
                           fmt::format("batches of {} images", std::min(batch, dataset.size())),
                           [&] { return run(model, info, dataset, engine, batch); });
}

}  // namespace edgeprune
