#include "pruning/schedule.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

/// step, 2 step, ... up to and including the target.
std::vector<PruningStep> rising(double target, double step, Base base) {
  std::vector<PruningStep> steps;
  const double per_unit = 1.0 / step;  // 3 / 10 is 0.3, 3 * 0.1 is not
  for (int64_t i = 1; double(i) / per_unit < target - 1e-9; ++i)
    steps.push_back({double(i) / per_unit, base});
  steps.push_back({target, base});
  return steps;
}

}  // namespace

std::vector<PruningStep> pruning_steps(PruningSchedule schedule, Method method, double target,
                                       const ScheduleOptions& options) {
  const bool once = schedule == PruningSchedule::one_shot;
  require((target > 0 || (once && target == 0)) && target < 1, "schedule",
          "expected a target sparsity in {}0, 1), got {}", once ? '[' : '(', target);
  // A smaller step than a thousandth would be a slip of the pen, and an endless run.
  require(options.step >= 0.001 && options.step < 1, "schedule",
          "expected a step in [0.001, 1), got {}", options.step);
  require(options.cubic_steps > 0, "schedule", "expected a positive number of steps, got {}",
          options.cubic_steps);
  switch (schedule) {
    case PruningSchedule::one_shot:
      return {{target, Base::original}};
    case PruningSchedule::exact:
      return rising(target, options.step, Base::original);
    case PruningSchedule::compounding: {
      if (!is_structured(method)) return rising(target, options.step, Base::remaining);
      const long count = std::max(1L, std::lround(target / options.step));
      return std::vector<PruningStep>(size_t(count), {options.step, Base::remaining});
    }
    case PruningSchedule::cubic:
      break;
  }
  std::vector<PruningStep> steps;
  for (int t = 1; t <= options.cubic_steps; ++t) {
    const double ahead = 1.0 - double(t) / options.cubic_steps;
    steps.push_back({target * (1.0 - ahead * ahead * ahead), Base::original});
  }
  return steps;
}

}  // namespace edgeprune
