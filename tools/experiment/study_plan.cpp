#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pruning/schedule.h"
#include "tools/experiment/study.h"

namespace edgeprune {
namespace {

constexpr Method kMethods[] = {Method::magnitude, Method::channel};

std::string step_id(Method method, const std::string& schedule, double target) {
  return fmt::format("{}-{}-{}", to_string(method), schedule, std::lround(100 * target));
}

void add_one_shot(StudyPlan& plan, Method method, const std::vector<double>& targets,
                  int64_t epochs) {
  for (const double target : targets) {
    plan.steps.push_back({step_id(method, "one-shot", target), "baseline", method, "one-shot",
                          target, epochs, true});
  }
}

/// One trajectory; `rows` are read off it.
void add_exact(StudyPlan& plan, Method method, const std::vector<double>& rows, double step,
               int64_t epochs) {
  std::string parent = "baseline";
  for (const auto& [target, base] :
       pruning_steps(PruningSchedule::exact, method, rows.back(), {.step = step})) {
    const bool row = std::any_of(rows.begin(), rows.end(),
                                 [&](double r) { return std::abs(r - target) < 1e-9; });
    const std::string id = step_id(method, "exact", target);
    plan.steps.push_back({id, parent, method, "exact", target, epochs, row});
    parent = id;
  }
}

}  // namespace

StudyPlan document_plan() {
  StudyPlan plan{.name = "document", .steps = {}, .latency = {}};
  plan.steps.push_back({.id = "baseline", .parent = "", .method = {}, .epochs = 15});
  for (const Method method : kMethods) add_one_shot(plan, method, {0.3, 0.5, 0.7}, 5);
  for (const Method method : kMethods) add_exact(plan, method, {0.3, 0.5, 0.7}, 0.1, 2);
  return plan;
}

StudyPlan quick_plan() {
  StudyPlan plan{.name = "quick", .steps = {}, .latency = {}};
  plan.train_images = 10000;
  plan.finetune_images = 4000;
  plan.test_images = 2000;
  plan.latency = {.seconds = 0.5, .min_samples = 20, .warmup_seconds = 0.1};
  plan.steps.push_back({.id = "baseline", .parent = "", .method = {}, .epochs = 2});
  add_one_shot(plan, Method::magnitude, {0.3, 0.5, 0.7, 0.9}, 1);
  add_one_shot(plan, Method::channel, {0.3, 0.5}, 1);
  add_exact(plan, Method::magnitude, {0.3, 0.5}, 0.1, 1);
  add_exact(plan, Method::channel, {0.3, 0.5}, 0.1, 1);
  return plan;
}

}  // namespace edgeprune
