#include "tools/study/study_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/base/check.h"
#include "engine/nn/network.h"
#include "models/copy_model.h"

namespace edgeprune {
namespace {

constexpr const char* kBaseline = "baseline";

/// Of a plan: weeks of training, and more than anybody means. The finest schedule has a thousand.
constexpr size_t kMostSteps = 1024;

/// "30", "2.5"
std::string percent(double fraction) {
  return fmt::format("{:g}", std::round(1e6 * 100 * fraction) / 1e6);
}

/// "channel-compact-exact-30", "magnitude-one-shot-distilled-80"
std::string row_name(const Experiment& experiment, double target) {
  std::string name = to_string(experiment.method);
  if (experiment.mode != PruneMode::mask) name += fmt::format("-{}", to_string(experiment.mode));
  name += fmt::format("-{}", to_string(experiment.schedule));
  if (!experiment.label.empty()) name += "-" + experiment.label;
  return name + "-" + percent(target);
}

/// What a step does that begins a trajectory: all that is left of an unpruned network is the
/// network, so exact and compounding schedules have the same first step. Nothing for other steps,
/// and for that of a row, which says what it is part of.
std::optional<std::string> beginning_of(const StudyStep& step) {
  const bool begins =
      step.parent == kBaseline && !step.row &&
      (step.schedule == PruningSchedule::exact || step.schedule == PruningSchedule::compounding);
  if (!begins) return {};
  nlohmann::json identity = identity_of(step);
  identity["prune"].erase("schedule");
  identity["prune"].erase("of remaining");
  return identity.dump();
}

/// All steps of one seed, while they are put together.
class Trajectories {
 public:
  explicit Trajectories(const StudyPlan& plan) : qat_epochs_(plan.qat_epochs) {
    steps_.push_back({.id = kBaseline,
                      .name = kBaseline,
                      .parent = "",
                      .prune = {},
                      .epochs = plan.baseline_epochs,
                      .recovery = {}});
    std::set<Quantizing> quantize;  // what rows are compared with
    for (const Experiment& e : plan.experiments) {
      quantize.insert(e.quantize.begin(), e.quantize.end());
    }
    add_quantized(kBaseline, {quantize.begin(), quantize.end()});
    for (size_t i = 0; i < plan.experiments.size(); ++i) {
      where_ = fmt::format("experiments[{}]", i);
      add(plan.experiments[i]);
    }
  }

  const std::vector<StudyStep>& steps() const { return steps_; }

 private:
  void add(const Experiment& e) {
    for (const double target : e.targets) {
      const std::vector<PruningStep> all = pruning_steps(e.schedule, e.method, target, e.options);
      std::string parent = kBaseline;
      for (size_t i = 0; i < all.size(); ++i) {
        const bool last = i + 1 == all.size();
        // What a row would be called that was read here; of a cubic trajectory nothing else can be.
        const double reached = last ? target : double(i + 1) * e.options.step;
        const std::string name = e.schedule == PruningSchedule::cubic && !last
                                     ? fmt::format("{}.step{}", row_name(e, target), i + 1)
                                     : row_name(e, reached);
        parent = insert({.id = name,
                         .name = name,
                         .parent = parent,
                         .prune = PruneRequest{e.method, e.mode, all[i], e.limits, e.groups},
                         .schedule = e.schedule,
                         .target = reached,
                         .epochs = e.epochs,
                         .recovery = e.recovery,
                         .score_images = e.score_images,
                         .row = last});
      }
      add_quantized(parent, e.quantize);
    }
  }

  /// "magnitude-one-shot-50-int8", "magnitude-one-shot-50-int8-qat"
  void add_quantized(const std::string& of, const std::vector<Quantizing>& all) {
    for (const Quantizing quantize : all) {
      StudyStep step = *std::ranges::find(steps_, of, &StudyStep::id);
      step.id = step.name = of + (quantize == Quantizing::ptq ? "-int8" : "-int8-qat");
      step.parent = of;
      step.epochs = quantize == Quantizing::qat ? qat_epochs_ : 0;
      step.quantize = quantize;
      insert(step);
    }
  }

  /// The id of the step, or of the one that is there already and does the same.
  std::string insert(const StudyStep& step) {
    StudyStep* same = find(step);
    if (same == nullptr) {
      require(steps_.size() < kMostSteps, "plan", "{}: more than {} trainings in all", where_,
              kMostSteps);
      require(ids_.insert(step.id).second, "plan",
              "{}: there is another {}, trained otherwise: give one of them a label", where_,
              step.id);
      by_identity_[identity_of(step).dump()] = steps_.size();
      if (const auto beginning = beginning_of(step)) by_beginning_[*beginning] = steps_.size();
      steps_.push_back(step);
      return step.id;
    }
    if (!step.row) return same->id;
    require(!same->row, "plan", "{}: row {} is there already{}", where_, step.id,
            same->id == step.id ? "" : ", as " + same->id);
    require(same->id == step.id, "plan", "{}: row {} would be the model {}", where_, step.id,
            same->id);
    same->row = true;
    return same->id;
  }

  /// The step that does the same; nullptr if there is none.
  StudyStep* find(const StudyStep& step) {
    const auto same = by_identity_.find(identity_of(step).dump());
    if (same != by_identity_.end()) return &steps_[same->second];
    const auto beginning = beginning_of(step);
    if (!beginning) return nullptr;
    const auto begun = by_beginning_.find(*beginning);
    return begun == by_beginning_.end() || steps_[begun->second].row ? nullptr
                                                                     : &steps_[begun->second];
  }

  const int64_t qat_epochs_;
  std::vector<StudyStep> steps_;
  std::set<std::string> ids_{kBaseline};
  std::map<std::string, size_t> by_identity_, by_beginning_;  // where in steps_
  std::string where_;
};

}  // namespace

std::string limits_text(const PruneRequest& request) {
  std::vector<std::string> parts;
  if (!request.limits.keep.empty()) {
    parts.push_back(fmt::format("keep {}", fmt::join(request.limits.keep, " ")));
  }
  if (request.limits.min_density > 0) {
    parts.push_back(fmt::format("min-density {:g}", request.limits.min_density));
  }
  if (request.groups.round_to > 1) {
    parts.push_back(fmt::format("round-to {}", request.groups.round_to));
  }
  if (request.groups.min_channels > 1) {
    parts.push_back(fmt::format("min-channels {}", request.groups.min_channels));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

NetworkSpec spec_of_plan(const StudyPlan& plan) {
  NetworkSpec spec;
  if (!plan.network.empty()) spec.name = plan.network;
  return spec;
}

bool quantizes(const StudyPlan& plan) {
  return std::ranges::any_of(plan.experiments,
                             [](const Experiment& e) { return !e.quantize.empty(); });
}

void require_consistent(const StudyPlan& plan) {
  const std::vector<inference::Engine> of_floats = inference::float_engines();
  const auto is_of_floats = [&](inference::Engine engine) {
    return std::ranges::find(of_floats, engine) != of_floats.end();
  };
  for (const inference::Engine engine : plan.engines) {
    require(quantizes(plan) || is_of_floats(engine), "plan",
            "latency.engines: {} runs quantised models, and no experiment has quantize",
            to_string(engine));
  }
  require(std::ranges::any_of(plan.engines, is_of_floats), "plan",
          "latency.engines: expected one at least that runs models in floats");
  require_validation(plan.training, plan.validation_images);
  for (size_t i = 0; i < plan.experiments.size(); ++i) {
    const Experiment& e = plan.experiments[i];
    require(!e.recovery.rewind || e.epochs <= plan.baseline_epochs, "plan",
            "experiments[{}].epochs: {} cannot rewind to a baseline of {}", i, e.epochs,
            plan.baseline_epochs);
    require(!e.recovery.distillation ||
                (plan.training.label_smoothing == 0 && !plan.training.balanced_classes),
            "plan", "experiments[{}]: distillation has no smoothed labels and no class weights", i);
  }
}

void require_feasible(const StudyPlan& plan) {
  const std::vector<StudyStep> steps = study_steps(plan);
  const Graph unpruned = build_network(spec_of_plan(plan));
  std::map<std::string, std::unique_ptr<nn::Network>> models;  // that a later step starts from
  std::map<std::string, size_t> children;
  for (const StudyStep& step : steps) ++children[step.parent];
  for (const StudyStep& step : steps) {
    if (step.prune && !step.quantize && !limits_text(*step.prune).empty()) {
      const auto parent = models.find(step.parent);
      auto model = parent == models.end() ? std::make_unique<nn::Network>(unpruned, 0)
                                          : copy_of(*parent->second);
      PruneRequest request =
          *step.prune;  // how many go depends on no score, and there are no images
      request.method = is_structured(request.method) ? Method::channel : Method::magnitude;
      try {
        model = prune(std::move(model), request).model;
      } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(fmt::format("{}: {}", step.id, error.what()));
      }
      if (children.contains(step.id)) models[step.id] = std::move(model);
    }
    if (--children[step.parent] == 0) models.erase(step.parent);
  }
}

nlohmann::json identity_of(const StudyStep& step) {
  nlohmann::json identity = {{"parent", step.parent},
                             {"epochs", step.epochs},
                             {"recovery", step.recovery.to_string()},
                             {"seed", step.seed}};
  if (step.prune) {
    identity["prune"] = {{"schedule", to_string(step.schedule)},
                         {"method", to_string(step.prune->method)},
                         {"mode", to_string(step.prune->mode)},
                         {"fraction", step.prune->step.fraction},
                         {"of remaining", step.prune->step.base == Base::remaining},
                         {"keep", step.prune->limits.keep},
                         {"min density", step.prune->limits.min_density},
                         {"round to", step.prune->groups.round_to},
                         {"min channels", step.prune->groups.min_channels}};
    if (needs_images(step.prune->method)) identity["prune"]["score images"] = step.score_images;
  }
  if (step.quantize) identity["quantize"] = name_of(kQuantizings, *step.quantize);
  return identity;
}

std::vector<StudyStep> study_steps(const StudyPlan& plan, const std::vector<uint64_t>& seeds) {
  require(!seeds.empty(), "plan", "there are no seeds");
  const Trajectories trajectories(plan);
  std::vector<StudyStep> steps;
  for (size_t i = 0; i < seeds.size(); ++i) {
    require(std::count(seeds.begin(), seeds.end(), seeds[i]) == 1, "plan", "seed {} is there twice",
            seeds[i]);
    const std::string suffix = i == 0 ? "" : fmt::format(".seed{}", seeds[i]);
    for (StudyStep step : trajectories.steps()) {
      step.seed = seeds[i];
      step.id += suffix;
      if (!step.parent.empty()) step.parent += suffix;
      steps.push_back(std::move(step));
    }
  }
  return steps;
}

}  // namespace edgeprune
