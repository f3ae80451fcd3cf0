#include "tools/sweeps/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "models/fold.h"
#include "models/summary.h"
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

/// "features.1.conv.0.0" of "features.1.conv.0.0.weight".
std::string layer_of(const PrunableWeight& weight) {
  return weight.name.substr(0, weight.name.rfind('.'));
}

double share_of_zeros(const Tensor& weight) {
  const auto values = weight.values();
  return double(std::count(values.begin(), values.end(), 0.0f)) / double(values.size());
}

/// The scores by which parts of a weight go: its values, or its output channels.
std::vector<double> scores_of(const Tensor& weight, Method method) {
  const int64_t size = is_structured(method) ? weight.count() / weight.dim(0) : 1;
  std::vector<double> scores(static_cast<size_t>(weight.count() / size), 0.0);
  for (int64_t i = 0; i < weight.count(); ++i) {
    scores[static_cast<size_t>(i / size)] += double(weight.data()[i]) * weight.data()[i];
  }
  return scores;
}

/// Zeroes the layer's smallest weights or channels. False, and nothing done, if more than that is
/// zero already.
bool prune_layer(PrunableWeight& layer, Method method, double level) {
  Tensor& weight = layer.variable.value();
  const std::vector<double> scores = scores_of(weight, method);
  const int64_t count = share_of(level, scores.size());
  if (std::count(scores.begin(), scores.end(), 0.0) > count) return false;
  const int64_t size = weight.count() / static_cast<int64_t>(scores.size());
  for (const int64_t part : smallest(scores, count, layer.name)) {
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
    if (options.bn_recalibrate > 0) {
      others_ = limit(std::move(others_), options.bn_recalibrate, options.seed);
    }
    for (PrunableWeight& weight : prunable_weights(model_)) {
      if (is_structured(options.method) && !weight.is_conv) continue;
      weights_.push_back(std::move(weight));
    }
  }
  ~Scan() { model_.load_state_dict(before_); }
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;

  Sensitivity run() {
    measure_times();
    measure_accuracies();
    Sensitivity result{options_, *log_.accuracy("", 0), {}};
    for (PrunableWeight& weight : weights_) {
      LayerSensitivity& layer = result.layers.emplace_back();
      layer.layer = layer_of(weight);
      layer.weights = weight.variable.value().count();
      for (const double level : options_.levels) {
        model_.load_state_dict(before_);
        SensitivityCell cell{.accuracy = kNan};
        if (prune_layer(weight, options_.method, level)) {
          cell.accuracy = *log_.accuracy(layer.layer, level);
        }
        cell.zeros = share_of_zeros(weight.variable.value());
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
    return {{"model", checkpoint.sha256},
            {"data", fingerprint(training)},
            {"method", to_string(options.method)},
            {"images", options.images},
            {"batch-norm recalibration", options.bn_recalibrate},
            {"seed", options.seed},
            {"machine", machine_description()}};
  }

  /// Every layer at its level, all levels and both kernels in turns.
  void measure_times() {
    std::vector<double> missing;
    for (const double level : options_.levels) {
      if (!std::all_of(weights_.begin(), weights_.end(), [&](const PrunableWeight& weight) {
            return log_.times(layer_of(weight), level).has_value();
          })) {
        missing.push_back(level);
      }
    }
    if (missing.empty()) return;
    std::vector<LatencyCase> cases;
    for (const double level : missing) {
      model_.load_state_dict(before_);
      for (PrunableWeight& weight : weights_) prune_layer(weight, options_.method, level);
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
      for (const PrunableWeight& weight : weights_) {
        const std::string layer = layer_of(weight);
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
    Progress progress("sensitivity", 1 + std::ssize(weights_) * std::ssize(options_.levels),
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
    for (PrunableWeight& weight : weights_) {
      for (const double level : options_.levels) {
        measure(layer_of(weight), level,
                [&] { return prune_layer(weight, options_.method, level); });
      }
    }
  }

  nn::Network& model_;
  const ModelInfo& info_;
  const SensitivityOptions& options_;
  const std::map<std::string, Array> before_;
  SensitivityLog log_;
  Dataset others_, held_out_;
  std::vector<PrunableWeight> weights_;
};

}  // namespace

double Sensitivity::lost(size_t layer, size_t level) const {
  return 100 * (accuracy - layers[layer].cells[level].accuracy);
}

void require_valid(const SensitivityOptions& options, const Dataset& training) {
  require(std::ranges::count(kLayerMethods, options.method, &Named<Method>::value) == 1,
          "sensitivity", "layers are pruned by {}, got {}", listed(names_of(kLayerMethods)),
          to_string(options.method));
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
