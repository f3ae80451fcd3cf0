#include "tools/measurement/infer.h"

#include <algorithm>
#include <memory>

#include "data/loader.h"
#include "engine/base/check.h"
#include "engine/base/timer.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/measurement/kernel_cache.h"
#include "tools/measurement/memory.h"

namespace edgeprune {
namespace {

Inference run(const std::string& purpose, const nn::Network& model, const ModelInfo& info,
              const Dataset& dataset, inference::Engine engine, int64_t batch) {
  const inference::Graph graph = inference_graph(model, info);
  LoaderOptions loading;
  loading.batch = batch;
  loading.input_size = static_cast<int>(model.graph().input_size());
  loading.normalisation = {info.mean, info.std};
  Loader loader(dataset, loading);
  std::unique_ptr<inference::Plan> plan;
  const int64_t classes = model.graph().classes();
  Inference result{.logits = Tensor({dataset.size(), classes}), .labels = {}};
  Progress progress(purpose, dataset.size(), "images");
  double milliseconds = 0;
  Batch images;
  loader.start_epoch(0);
  while (loader.next(images)) {
    throw_if_interrupted();
    const int64_t count = images.input.dim(0);
    if (!plan || plan->batch() != count) {
      plan = std::make_unique<inference::Plan>(graph, engine, count, &kernel_choices());
    }
    const Stopwatch watch;
    plan->run(images.input.data(), result.logits.data() + std::ssize(result.labels) * classes);
    milliseconds += watch.milliseconds();
    result.labels.insert(result.labels.end(), images.labels.begin(), images.labels.end());
    progress.advance(count);
  }
  result.ms_per_image = milliseconds / double(result.labels.size());
  return result;
}

}  // namespace

Inference infer(const std::string& purpose, const nn::Network& model, const ModelInfo& info,
                const Dataset& dataset, inference::Engine engine, int64_t batch) {
  return explain_bad_alloc(purpose.c_str(),
                           fmt::format("batches of {} images", std::min(batch, dataset.size())),
                           [&] { return run(purpose, model, info, dataset, engine, batch); });
}

}  // namespace edgeprune
