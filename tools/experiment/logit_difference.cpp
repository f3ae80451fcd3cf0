#include "tools/experiment/logit_difference.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "data/loader.h"
#include "engine/base/check.h"
#include "engine/inference/plan.h"
#include "models/fold.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/experiment/memory.h"

namespace edgeprune {
namespace {

constexpr double kTolerance = 1e-4;

/// Adds one image's logits.
void compare(const float* a, const float* b, int64_t classes, LogitDifference& result) {
  for (int64_t k = 0; k < classes; ++k) {
    const double difference = std::abs(double(a[k]) - b[k]);
    // A NaN is larger than all, and stays.
    if (!std::isnan(result.largest) && !(difference <= result.largest)) result.largest = difference;
    result.largest_logit = std::max(result.largest_logit, std::abs(double(a[k])));
  }
  const auto label = [&](const float* row) { return std::max_element(row, row + classes) - row; };
  result.labels_changed += label(a) != label(b);
  ++result.images;
}

LogitDifference run(const MobileNetV2& a, const MobileNetV2& b, const ModelInfo& info,
                    const Dataset& dataset, int64_t batch) {
  Loader loader(dataset, {.batch = batch,
                          .input_size = static_cast<int>(a.architecture().input_size),
                          .normalisation = {info.mean, info.std},
                          .augmentation = {}});
  const inference::Graph graphs[] = {fold_batch_norm(a), fold_batch_norm(b)};
  std::unique_ptr<inference::Plan> plans[2];
  LogitDifference result;
  Progress progress("compare", dataset.size(), "images");
  Batch images;
  loader.start_epoch(0);
  while (loader.next(images)) {
    throw_if_interrupted();
    const int64_t count = images.input.dim(0), classes = a.architecture().classes;
    Tensor logits[2];
    for (int i = 0; i < 2; ++i) {
      if (!plans[i] || plans[i]->batch() != count) {
        plans[i] = std::make_unique<inference::Plan>(graphs[i], inference::Engine::dense, count);
      }
      logits[i] = Tensor({count, classes});
      plans[i]->run(images.input.data(), logits[i].data());
    }
    for (int64_t n = 0; n < count; ++n) {
      compare(logits[0].data() + n * classes, logits[1].data() + n * classes, classes, result);
    }
    progress.advance(count);
  }
  return result;
}

}  // namespace

bool LogitDifference::is_rounding() const {
  return largest <= kTolerance * std::max(1.0, largest_logit);
}

LogitDifference compare_logits(const MobileNetV2& a, const MobileNetV2& b, const ModelInfo& info,
                               const Dataset& dataset, int64_t batch) {
  const Architecture &left = a.architecture(), &right = b.architecture();
  require(left.input_size == right.input_size && left.classes == right.classes, "compare_logits",
          "the models have {} and {} classes, {} and {} pixels", left.classes, right.classes,
          left.input_size, right.input_size);
  return explain_bad_alloc("compare_logits",
                           fmt::format("batches of {} images", std::min(batch, dataset.size())),
                           [&] { return run(a, b, info, dataset, batch); });
}

}  // namespace edgeprune
