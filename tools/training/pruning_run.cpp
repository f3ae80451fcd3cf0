#include "tools/training/pruning_run.h"

#include "engine/base/check.h"
#include "models/summary.h"
#include "tools/measurement/evaluate.h"
#include "tools/training/recalibrate.h"
#include "tools/training/training_history.h"

namespace edgeprune {

nlohmann::json pruning_entry(const PruneAndTune& request, const std::string& parent_sha256) {
  const auto& [method, mode, step, limits, groups, block] = request.prune;
  nlohmann::json entry{{"step", "prune"},
                       {"method", to_string(method)},
                       {"schedule", to_string(request.schedule)},
                       {"sparsity", step.fraction}};
  if (step.base != Base::original) entry["of"] = to_string(step.base);
  if (!parent_sha256.empty()) entry["parent"] = parent_sha256;
  if (!limits.keep.empty()) entry["keep"] = limits.keep;
  if (limits.min_density > 0) entry["min_density"] = limits.min_density;
  if (block != WeightBlock::one) entry["block"] = to_string(block);
  if (mode != PruneMode::mask) {
    entry["mode"] = to_string(mode);
    entry["round_to"] = groups.round_to;
    entry["min_channels"] = groups.min_channels;
  }
  if (needs_images(method)) {
    entry["score_images"] = request.score_images;
    entry["seed"] = request.training.seed;
  }
  return entry;
}

PruneAndTuneResult prune_and_tune(Checkpoint& checkpoint, const PruneAndTune& request,
                                  const Dataset& training, const Dataset& test,
                                  const TrainState& state, const EpochCallback& on_epoch,
                                  const std::function<void(const std::string&)>& say) {
  const bool tune = request.training.epochs > 0;
  ModelInfo& info = checkpoint.info;
  TrainOptions options = request.training;
  if (tune) options = with_recovery(options, request.recovery, info.history);
  Pruned pruned = prune(
      std::move(checkpoint.model), request.prune,
      score_samples(request.prune.method, info, training, request.score_images, options.seed));
  checkpoint.model = std::move(pruned.model);
  nn::Network& model = *checkpoint.model;
  const int64_t recalibrate = request.recovery.bn_recalibrate;
  if (recalibrate > 0) {
    recalibrate_batch_norm(model, info, training, recalibrate, options.seed);
  }
  PruneAndTuneResult result;
  const Evaluation before = evaluate(model, info, test, inference::Engine::dense);
  result.accuracy_before = before.accuracy;
  say(fmt::format("pruned by {:.4g} of the {} {}: accuracy {:.2f} % before fine-tuning",
                  request.prune.step.fraction, to_string(request.prune.step.base),
                  is_structured(request.prune.method) ? "channels" : "weights",
                  100 * result.accuracy_before));
  report_warning(before.warning, request.strict && !tune, say);  // training may mend it
  nlohmann::json entry = pruning_entry(request, checkpoint.sha256);
  if (needs_images(request.prune.method)) {
    entry["score_images"] = std::min(request.score_images, training.size());
  }
  entry["accuracy_before"] = result.accuracy_before;
  if (recalibrate > 0) entry["bn_recalibrate"] = recalibrate;
  info.history.push_back(entry);
  checkpoint.sha256.clear();
  if (!tune) return result;

  if (options.rewinding) say(describe(*options.rewinding, options.epochs));
  result.training =
      train(model, info, training, request.validation, pruned.masks, options, state, on_epoch);
  nlohmann::json tuned = training_step(options, result.training, "", training, request.validation);
  tuned.erase("parent");  // the pruned model, which is in no file
  info.history.push_back(tuned);
  return result;
}

}  // namespace edgeprune
