#include "tools/training/trainer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "data/loader.h"
#include "engine/base/buffer.h"
#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/timer.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/distillation.h"
#include "models/weights_file.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/measurement/evaluate.h"
#include "tools/measurement/memory.h"
#include "tools/training/quantized_training.h"
#include "tools/training/recalibrate.h"
#include "tools/training/step_memory.h"
#include "tools/training/teacher.h"
#include "tools/training/train_state.h"

namespace edgeprune {
namespace {

constexpr uint64_t kDropoutStream = 1;

int64_t count_correct(const Tensor& logits, const std::vector<int>& labels) {
  int64_t correct = 0;
  for (size_t n = 0; n < labels.size(); ++n) {
    const float* row = logits.data() + static_cast<int64_t>(n) * logits.dim(1);
    correct += std::max_element(row, row + logits.dim(1)) - row == labels[n];
  }
  return correct;
}

/// The rate of every step: the options' own schedule, or the end of the one that is replayed.
optim::Schedule learning_rates(const TrainOptions& options, int64_t batches) {
  const Rewinding whole = options.rewinding.value_or(
      Rewinding{options.schedule, options.learning_rate, options.epochs});
  return {.kind = whole.schedule,
          .initial = whole.learning_rate,
          .total_steps = whole.epochs * batches,
          .steps_per_decay = std::max<int64_t>(1, whole.epochs * batches / 3),
          .first_step = (whole.epochs - options.epochs) * batches,
          .warm_up_steps = options.warm_up * batches};
}

/// Normalisation, unless it is the usual one, which older states do not name, belongs to it.
nlohmann::json identity_of(const nn::Network& model, const ModelInfo& info, const Dataset& training,
                           const Dataset* validation, const Masks& masks,
                           const TrainOptions& options) {
  nlohmann::json identity = run_identity(model, training, validation, masks, options);
  if (info.mean != ModelInfo().mean) identity["mean"] = info.mean;
  if (info.std != ModelInfo().std) identity["std"] = info.std;
  if (info.quantization) identity["quantization"] = grids_json(*info.quantization);
  return identity;
}

class Trainer {
 public:
  Trainer(nn::Network& model, const ModelInfo& info, const Dataset& training,
          const Dataset* validation, const Masks& masks, const TrainOptions& options,
          const TrainState& state)
      : model_(model),
        info_(info),
        training_(training),
        validation_(validation),
        options_(options),
        state_(state),
        optimizer_(
            optim::make_optimizer(options.optimizer, model.parameters(), options.weight_decay)),
        loader_(training, {.batch = std::min(options.batch, training.size()),
                           .input_size = static_cast<int>(model.graph().input_size()),
                           .normalisation = {info.mean, info.std},
                           .shuffle = true,
                           .augmentation = options.augmentation,
                           .seed = options.seed,
                           .smallest_batch = kSmallestBatch}),
        identity_(identity_of(model, info, training, validation, masks, options)),
        targets_{.smoothing = options.label_smoothing} {
    if (options.balanced_classes) {
      targets_.class_weights = balanced_weights(training.labels, training.classes.size());
    }
    require_same_classes(info.classes, training);
    hold_masks(masks, *optimizer_);
    for (const auto& [name, parameter] : model.parameters())
      parameters_ += parameter.value().count();
    if (info.quantization) hooks_ = std::make_unique<FakeQuantization>(model, *info.quantization);
    if (options.distillation) teacher_.emplace(*options.teacher, model.graph());
    schedule_ = learning_rates(options, loader_.batches());
  }

  TrainResult run(const EpochCallback& on_epoch) {
    if (state_.resume && !state_.path.empty() && std::filesystem::exists(state_.path)) {
      progress_ = load_train_state(state_.path, identity_, model_, *optimizer_);
      if (state_.log && !progress_.finished.empty()) state_.log(progress_.finished);
    }
    while (progress_.epoch < options_.epochs && !out_of_patience()) {
      run_epoch();
      if (on_epoch) on_epoch(progress_.finished.back());
      if (state_.log) state_.log(progress_.finished);
    }
    if (progress_.best_epoch > 0) model_.load_state_dict(progress_.best_weights);
    if (options_.bn_recalibrate > 0) {
      recalibrate_batch_norm(model_, info_, training_, options_.bn_recalibrate, options_.seed);
    }
    flush_subnormals(model_);
    TrainResult result{progress_.finished, 0, steady_, progress_.epoch};
    if (progress_.best_epoch > 0) result.chosen_epoch = progress_.best_epoch;
    for (const EpochResult& epoch : result.epochs) result.seconds += epoch.seconds;
    return result;
  }

 private:
  /// Only at an epoch's start.
  bool out_of_patience() const {
    return options_.patience > 0 && progress_.batch == 0 && progress_.best_epoch > 0 &&
           progress_.epoch - progress_.best_epoch >= options_.patience;
  }

  void run_epoch() {
    const int64_t batches = loader_.batches();
    const auto label = fmt::format("epoch {}/{}", progress_.epoch + 1, options_.epochs);
    Progress bar(label, loader_.images_in(batches), "images");
    bar.skip(images_done());
    loader_.start_epoch(static_cast<uint64_t>(progress_.epoch), progress_.batch);
    model_.train();
    Stopwatch since_save, since_step;
    Batch batch;
    while (next_step(batch, since_step)) {
      bar.advance(std::ssize(batch.labels),
                  fmt::format("loss {:.3f} accuracy {:.1f} %", mean_loss(),
                              100.0 * double(progress_.correct) / double(images_done())));
      if (interrupted() || since_save.seconds() > options_.save_every_seconds) {
        save();
        since_save.restart();
        since_step.restart();
      }
      throw_if_interrupted();
    }
    bar.finish();
    if (validation_ != nullptr) save();  // Ctrl-C during the validation loses nothing
    finish_epoch();
  }

  /// Loads a batch, trains on it and keeps account. False, and nothing done, at the epoch's end.
  bool next_step(Batch& batch, Stopwatch& since_last) {
    const bool steady = own_steps_ >= kWarmUpSteps;
    std::optional<ProfilerScope> profiling;
    if (steady && options_.profiler != nullptr) profiling.emplace(*options_.profiler);
    const size_t fresh_before = buffer_stats().fresh;
    if (!next(batch)) return false;
    step(batch);
    const double seconds = since_last.seconds();
    since_last.restart();
    progress_.seconds += seconds;
    ++own_steps_;
    if (steady) {
      ++steady_.count;
      steady_.seconds += seconds;
      steady_.fresh_buffers += buffer_stats().fresh - fresh_before;
    }
    return true;
  }

  bool next(Batch& batch) {
    const Timed timed("loader", Phase::forward, {});
    return loader_.next(batch);
  }

  void step(const Batch& batch) {
    const int64_t index = progress_.epoch * loader_.batches() + progress_.batch;
    Rng dropout(options_.seed, kDropoutStream, static_cast<uint64_t>(index));
    optimizer_->zero_grad();
    const Variable logits = model_.forward(Variable(batch.input), dropout, hooks_.get());
    Variable loss = loss_of(logits, batch);
    const double value = loss.value().data()[0];
    const float rate = schedule_.rate(index);
    if (!std::isfinite(value)) {
      throw std::runtime_error(fmt::format(
          "[train] the loss is {} in epoch {}, batch {} of {} (learning rate {}): try a lower one",
          value, progress_.epoch + 1, progress_.batch + 1, loader_.batches(), rate));
    }
    loss.backward();
    update(rate);
    progress_.loss += value * double(batch.labels.size()) / double(full_batch());
    progress_.correct += count_correct(logits.value(), batch.labels);
    ++progress_.batch;
  }

  Variable loss_of(const Variable& logits, const Batch& batch) {
    if (!teacher_) return ops::cross_entropy(logits, batch.labels, targets_);
    return ops::distillation(logits, teacher_->logits(batch.input), batch.labels,
                             options_.distillation->temperature, options_.distillation->alpha);
  }

  /// The loss need not show a NaN: the weight may be of a channel that nothing reads, say.
  void require_finite_model() const {
    for (const auto& [name, array] : model_.state_dict()) {
      if (array.dtype != DType::f32) continue;
      const Tensor tensor = array.to_tensor(name);
      const auto values = tensor.values();
      if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
        throw std::runtime_error(fmt::format(
            "[train] {} is no longer finite in epoch {} (learning rate {}): try a lower one", name,
            progress_.epoch + 1, schedule_.initial));
      }
    }
  }

  void update(float rate) {
    // Adam reads parameter, gradient and two moments, and writes all but the gradient.
    const Timed timed("optimizer", Phase::backward, {0, 7.0 * sizeof(float) * double(parameters_)});
    optimizer_->step(rate);
  }

  void finish_epoch() {
    require_finite_model();
    const double images = double(images_done());
    EpochResult epoch;
    epoch.epoch = progress_.epoch + 1;
    epoch.loss = mean_loss();
    epoch.accuracy = double(progress_.correct) / images;
    epoch.seconds = progress_.seconds;
    epoch.images_per_second = images / progress_.seconds;
    epoch.loader_wait = loader_.waited_seconds() / progress_.seconds;
    if (validation_ == nullptr) epoch.warning = dead_layers(model_);
    if (validation_ != nullptr) {
      const Evaluation validated = evaluate_in_training(model_, info_, *validation_);
      epoch.validation_accuracy = validated.accuracy;
      epoch.warning = validated.warning;
      if (*epoch.validation_accuracy > progress_.best_accuracy) {
        progress_.best_accuracy = *epoch.validation_accuracy;
        progress_.best_epoch = epoch.epoch;
        progress_.best_weights = model_.state_dict();
      }
    }
    progress_.finished.push_back(epoch);
    ++progress_.epoch;
    progress_.batch = progress_.correct = 0;
    progress_.loss = progress_.seconds = 0;
    save();
  }

  int64_t full_batch() const { return loader_.images_in(1); }
  int64_t images_done() const { return loader_.images_in(progress_.batch); }  ///< of the epoch
  double mean_loss() const {
    return progress_.loss / (double(images_done()) / double(full_batch()));
  }

  void save() {
    if (!state_.path.empty())
      save_train_state(state_.path, identity_, model_, *optimizer_, progress_);
  }

  nn::Network& model_;
  const ModelInfo& info_;
  const Dataset& training_;
  const Dataset* validation_;
  const TrainOptions& options_;
  const TrainState& state_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  Loader loader_;
  const nlohmann::json identity_;
  ops::Targets targets_;
  int64_t parameters_ = 0;
  int64_t own_steps_ = 0;  ///< of this process
  SteadySteps steady_;
  optim::Schedule schedule_;
  std::unique_ptr<nn::ForwardHooks> hooks_;  ///< null: nothing is rounded
  std::optional<Teacher> teacher_;
  TrainProgress progress_;
};

void require_valid(const ModelInfo& info, const TrainOptions& options, const Dataset* validation) {
  require(options.label_smoothing >= 0 && options.label_smoothing < 1, "train",
          "expected a label smoothing from 0 to below 1, got {}", options.label_smoothing);
  require(options.warm_up >= 0 && options.patience >= 0, "train",
          "expected 0 or more epochs of warm-up and patience, got {} and {}", options.warm_up,
          options.patience);
  require_validation(options, validation != nullptr ? validation->size() : 0);
  require(!options.distillation || (options.label_smoothing == 0 && !options.balanced_classes),
          "train", "distillation has no smoothed labels and no class weights");
  require(options.qat.has_value() == info.quantization.has_value(), "train",
          "quantisation-aware training is of networks that it was begun with, other training of "
          "others");
  require(
      !options.qat || options.bn_recalibrate == 0, "train",
      "quantisation-aware training has no batch norm left whose statistics could be taken anew");
  require(options.epochs >= 0, "train", "expected epochs >= 0, got {}", options.epochs);
  require(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "train",
          "expected a weight decay of 0 or more, got {}", options.weight_decay);
  require(!options.distillation || options.teacher, "train", "distillation needs a teacher");
  const optim::Schedule schedule = learning_rates(options, 1);
  require(schedule.initial > 0 && std::isfinite(schedule.initial), "train",
          "expected a learning rate above 0, got {}", schedule.initial);
  require(schedule.first_step >= 0, "train",
          "{} epochs cannot replay the last ones of a training of {}", options.epochs,
          schedule.total_steps);
}

}  // namespace

TrainResult train(nn::Network& model, const ModelInfo& info, const Dataset& training,
                  const Dataset* validation, const Masks& masks, const TrainOptions& options,
                  const TrainState& state, const EpochCallback& on_epoch) {
  require_valid(info, options, validation);
  if (!state.path.empty()) require_writable(state.path);
  Trainer trainer(model, info, training, validation, masks, options, state);
  const int64_t batch = std::min(options.batch, training.size());
  require_step_memory(model.graph(), batch);
  return explain_bad_alloc("train", fmt::format("batches of {} images", batch),
                           [&] { return trainer.run(on_epoch); });
}

}  // namespace edgeprune
