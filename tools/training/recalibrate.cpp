#include "tools/training/recalibrate.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/loader.h"
#include "engine/base/check.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/measurement/evaluate.h"
#include "tools/measurement/memory.h"

namespace edgeprune {
namespace {

constexpr int64_t kBatch = 128;

/// On maps of 1x1 a batch of one image has no variance: the last one must not be that.
int64_t batch_for(int64_t images) {
  int64_t batch = std::min(kBatch, images);
  while (images % batch == 1) ++batch;
  return batch;
}

/// What one batch norm saw, over batches weighted by their images.
struct Pooled {
  std::vector<double> mean, square;  ///< sums of n * mean_b and n * (var_b + mean_b^2)
};

/// Batch norms whose running statistics are, while this lives, those of the last batch alone.
/// Unless keep() was called, the statistics of before come back.
class BatchStatistics {
 public:
  explicit BatchStatistics(nn::Network& model) : model_(model), training_(model.training()) {
    for (const auto& norm : model.norms()) {
      before_.push_back({norm->state.running_mean.clone(), norm->state.running_var.clone(),
                         norm->state.momentum, norm->num_batches_tracked});
      norm->state.momentum = 1;
    }
    model.train();
  }
  ~BatchStatistics() {
    model_.train(training_);
    for (size_t i = 0; i < before_.size(); ++i) {
      nn::BatchNorm2d& norm = *model_.norms()[i];
      norm.state.momentum = before_[i].momentum;
      if (kept_) continue;
      norm.state.running_mean.copy_from(before_[i].mean);
      norm.state.running_var.copy_from(before_[i].var);
      norm.num_batches_tracked = before_[i].batches;
    }
  }
  BatchStatistics(const BatchStatistics&) = delete;
  BatchStatistics& operator=(const BatchStatistics&) = delete;

  /// Moving from zero all the way to the batch's value gives exactly that.
  void clear() {
    for (const auto& norm : model_.norms()) {
      norm->state.running_mean.fill(0);
      norm->state.running_var.fill(0);
    }
  }
  void keep() { kept_ = true; }

 private:
  struct Before {
    Tensor mean, var;
    float momentum;
    int64_t batches;
  };
  nn::Network& model_;
  bool training_, kept_ = false;
  std::vector<Before> before_;
};

void add_batch(const nn::Network& model, int64_t images, std::vector<Pooled>& pooled) {
  for (size_t i = 0; i < pooled.size(); ++i) {
    const auto& norm = *model.norms()[i];
    const double rows = double(images * norm.shape.out_height() * norm.shape.out_width());
    const ops::BatchNormState& state = norm.state;
    for (size_t c = 0; c < pooled[i].mean.size(); ++c) {
      const double mean = state.running_mean.data()[c];
      const double biased = double(state.running_var.data()[c]) * (rows - 1) / rows;
      pooled[i].mean[c] += double(images) * mean;
      pooled[i].square[c] += double(images) * (biased + mean * mean);
    }
  }
}

void store(const std::vector<Pooled>& pooled, int64_t images, nn::Network& model) {
  for (size_t i = 0; i < pooled.size(); ++i) {
    auto& norm = *model.norms()[i];
    const double rows = double(images * norm.shape.out_height() * norm.shape.out_width());
    ops::BatchNormState& state = norm.state;
    for (size_t c = 0; c < pooled[i].mean.size(); ++c) {
      const double mean = pooled[i].mean[c] / double(images);
      const double biased = std::max(0.0, pooled[i].square[c] / double(images) - mean * mean);
      if (!std::isfinite(mean) || !std::isfinite(biased)) {
        throw std::runtime_error(fmt::format(
            "[bn-recalibrate] the statistics of {} are not finite: mean {}, variance {}", norm.name,
            mean, biased));
      }
      state.running_mean.data()[c] = static_cast<float>(mean);
      state.running_var.data()[c] = static_cast<float>(biased * rows / (rows - 1));
    }
  }
}

void run(nn::Network& model, const ModelInfo& info, const Dataset& images, uint64_t seed) {
  Loader loader(images, {.batch = batch_for(images.size()),
                         .input_size = static_cast<int>(model.graph().input_size()),
                         .normalisation = {info.mean, info.std},
                         .shuffle = true,
                         .augmentation = {},
                         .seed = seed});
  std::vector<Pooled> pooled;
  for (const auto& norm : model.norms()) {
    const auto channels = static_cast<size_t>(norm->shape.out_channels);
    pooled.push_back({std::vector<double>(channels), std::vector<double>(channels)});
  }
  BatchStatistics statistics(model);
  const NoGrad no_grad;
  Progress progress("batch norm", images.size(), "images");
  Batch batch;
  loader.start_epoch(0);
  while (loader.next(batch)) {
    throw_if_interrupted();
    statistics.clear();
    Rng dropout(seed);  // behind the last batch norm
    model.forward(Variable(batch.input), dropout);
    add_batch(model, batch.input.dim(0), pooled);
    progress.advance(batch.input.dim(0));
  }
  store(pooled, images.size(), model);
  statistics.keep();
}

}  // namespace

void recalibrate_batch_norm(nn::Network& model, const ModelInfo& info, const Dataset& training,
                            int64_t images, uint64_t seed) {
  require_same_classes(info.classes, training);
  const int64_t count = std::min(images, training.size());
  require(count >= 2, "bn-recalibrate", "expected at least 2 images, got {}", count);
  explain_bad_alloc("bn-recalibrate", fmt::format("batches of {} images", batch_for(count)),
                    [&] { run(model, info, limit(training, count, seed), seed); });
}

}  // namespace edgeprune
