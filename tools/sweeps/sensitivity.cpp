#include "tools/sweeps/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "models/fold.h"
#include "pruning/scores.h"
#include "pruning/smallest.h"
#include "tools/cli/progress.h"
#include "tools/measurement/evaluate.h"
#include "tools/measurement/layer_times.h"
#include "tools/measurement/machine.h"
#include "tools/sweeps/sensitivity_log.h"
#include "tools/training/recalibrate.h"

namespace edgeprune {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double share_of_zeros(const Tensor& weight) {
  const auto values = weight.values();
  return double(std::count(values.begin(), values.end(), 0.0f)) / double(values.size());
}

/// A layer and what its parts matter before anything is pruned.
struct ScoredLayer {
  Units units;
  std::vector<double> scores;
  Tensor weight() const { return units.slices.front().variable.value(); }  ///< the network's own
};

/// Zeroes the layer's smallest weights or channels. False, and nothing done, if more than that is
/// zero already.
bool prune_layer(const ScoredLayer& layer, double level) {
  const int64_t count = share_of(level, layer.scores.size());
  if (std::count(layer.scores.begin(), layer.scores.end(), 0.0) > count) return false;
  const int64_t size = layer.units.slices.front().inner;
  Tensor weight = layer.weight();
  for (const int64_t part : smallest(layer.scores, count, layer.units.what)) {
    std::fill_n(weight.data() + part * size, size, 0.0f);
  }
  return true;
}

class Scan {
 public:
  Scan(Checkpoint& checkpoint, const Dataset& training, const SensitivityOptions& options,
       const std::string& log)
      : model_(*checkpoint.model),
        info_(checkpoint.info),
        options_(options),
        before_(model_.state_dict()),
        log_(log, identity(checkpoint, training, options)) {
    std::tie(others_, held_out_) = hold_out(training, options.images, options.seed);
    score();
    if (options.bn_recalibrate > 0) {
      others_ = limit(std::move(others_), options.bn_recalibrate, options.seed);
    }
  }
  ~Scan() { model_.load_state_dict(before_); }
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;

  Sensitivity run() {
    measure_times();
    measure_accuracies();
    Sensitivity result{options_, *log_.accuracy("", 0), {}};
    for (const ScoredLayer& scored : layers_) {
      LayerSensitivity& layer = result.layers.emplace_back();
      layer.layer = scored.units.name;
      layer.weights = scored.weight().count();
      for (const double level : options_.levels) {
        model_.load_state_dict(before_);
        SensitivityCell cell{.accuracy = kNan};
        if (prune_layer(scored, level)) {
          cell.accuracy = *log_.accuracy(layer.layer, level);
        }
        cell.zeros = share_of_zeros(scored.weight());
        const auto times = log_.times(layer.layer, level);
        cell.dense_ms = times->dense_ms;
        cell.sparse_ms = times->sparse_ms;
        layer.cells.push_back(cell);
      }
    }
    return result;
  }

 private:
  static nlohmann::json identity(const Checkpoint& checkpoint, const Dataset& training,
                                 const SensitivityOptions& options) {
    nlohmann::json identity = {{"model", checkpoint.sha256},
                               {"data", fingerprint(training)},
                               {"method", to_string(options.method)},
                               {"images", options.images},
                               {"batch-norm recalibration", options.bn_recalibrate},
                               {"seed", options.seed},
                               {"machine", machine_description()}};
    if (needs_images(options.method)) identity["images for scores"] = options.score_images;
    return identity;
  }

  void score() {
    std::vector<Units> units = units_of(model_, options_.method);
    const Samples samples =
        score_samples(options_.method, info_, others_, options_.score_images, options_.seed);
    Gradients gradients;
    if (samples) gradients = [&](const auto& after_batch) { samples(model_, after_batch); };
    Scores all = scores(units, options_.method, gradients);
    for (size_t i = 0; i < units.size(); ++i) {
      layers_.push_back({std::move(units[i]), std::move(all[i])});
    }
  }

  /// Every layer at its level, all levels and both kernels in turns.
  void measure_times() {
    std::vector<double> missing;
    for (const double level : options_.levels) {
      if (!std::all_of(layers_.begin(), layers_.end(), [&](const ScoredLayer& layer) {
            return log_.times(layer.units.name, level).has_value();
          })) {
        missing.push_back(level);
      }
    }
    if (missing.empty()) return;
    std::vector<LatencyCase> cases;
    for (const double level : missing) {
      model_.load_state_dict(before_);
      for (const ScoredLayer& layer : layers_) prune_layer(layer, level);
      const auto graph = std::make_shared<const inference::Graph>(fold_batch_norm(model_));
      const size_t dense = cases.size();
      cases.push_back({graph, inference::Engine::dense, 1, 1, dense});
      cases.push_back({graph, inference::Engine::sparse, 1, 1, dense});
    }
    LatencyOptions latency = options_.latency;
    latency.per_layer = true;
    const std::vector<LatencyResult> results = measure_latency(cases, latency);
    for (size_t i = 0; i < missing.size(); ++i) {
      const auto dense = layer_times(results[2 * i].steps);
      const auto sparse = layer_times(results[2 * i + 1].steps);
      for (const ScoredLayer& scored : layers_) {
        const std::string& layer = scored.units.name;
        log_.add_times(layer, missing[i], {ms_of(dense, layer), ms_of(sparse, layer)});
      }
    }
  }

  static double ms_of(const std::vector<LayerTime>& times, const std::string& layer) {
    const auto found = std::find_if(times.begin(), times.end(),
                                    [&](const LayerTime& time) { return time.layer == layer; });
    if (found != times.end()) return found->ms;
    throw std::logic_error("[sensitivity] the plan has no step of " + layer);
  }

  void measure_accuracies() {
    Progress progress("sensitivity", 1 + std::ssize(layers_) * std::ssize(options_.levels),
                      "prunings");
    const HiddenProgress parts;
    const auto measure = [&](const std::string& layer, double level, const auto& prune) {
      if (log_.accuracy(layer, level)) {
        progress.skip(1);
        return;
      }
      model_.load_state_dict(before_);
      if (prune()) {
        if (options_.bn_recalibrate > 0) {
          recalibrate_batch_norm(model_, info_, others_, options_.bn_recalibrate, options_.seed);
        }
        log_.add_accuracy(layer, level,
                          evaluate(model_, info_, held_out_, inference::Engine::dense).accuracy);
      }
      progress.advance(1, layer);
    };
    measure("", 0, [] { return true; });
    for (const ScoredLayer& layer : layers_) {
      for (const double level : options_.levels) {
        measure(layer.units.name, level, [&] { return prune_layer(layer, level); });
      }
    }
  }

  nn::Network& model_;
  const ModelInfo& info_;
  const SensitivityOptions& options_;
  const std::map<std::string, Array> before_;
  SensitivityLog log_;
  Dataset others_, held_out_;
  std::vector<ScoredLayer> layers_;
};

}  // namespace

double Sensitivity::lost(size_t layer, size_t level) const {
  return 100 * (accuracy - layers[layer].cells[level].accuracy);
}

void require_valid(const SensitivityOptions& options, const Dataset& training) {
  require(!options.levels.empty(), "sensitivity", "there are no levels");
  for (const double level : options.levels) {
    require(level > 0 && level < 1, "sensitivity", "expected levels between 0 and 1, got {}",
            level);
  }
  require(options.images > 0 && options.images < training.size(), "sensitivity",
          "cannot hold {} of {} training images out", options.images, training.size());
}

Sensitivity scan_sensitivity(Checkpoint& checkpoint, const Dataset& training,
                             const SensitivityOptions& options, const std::string& log) {
  require_valid(options, training);
  require_same_classes(checkpoint.info.classes, training);
  return Scan(checkpoint, training, options, log).run();
}

}  // namespace edgeprune
