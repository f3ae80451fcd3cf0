#pragma once
// How a model gets to its sparsity: at once or in steps, between which it is fine-tuned.

#include <string>
#include <vector>

#include "pruning/method.h"

namespace edgeprune {

struct PruningStep {
  double fraction = 0;
  Base base = Base::original;
};

enum class PruningSchedule {
  one_shot,     ///< the target at once
  exact,        ///< equal steps of the original count
  compounding,  ///< each step takes its fraction of what is left, and overshoots
  cubic,        ///< much at first, ever less later (Zhu & Gupta 2017)
};
inline constexpr Named<PruningSchedule> kPruningSchedules[] = {
    {PruningSchedule::one_shot, "one-shot"},
    {PruningSchedule::exact, "exact", "--step of the original count each, lands on the target"},
    {PruningSchedule::compounding, "compounding",
     "--step of what is left, overshoots: the arithmetic of the original study, the published one "
     "that edgeprune follows"},
    {PruningSchedule::cubic, "cubic", "most at first; Zhu & Gupta 2017"}};
static_assert(in_order(kPruningSchedules));

inline const char* to_string(PruningSchedule schedule) {
  return name_of(kPruningSchedules, schedule);
}
/// Throws std::invalid_argument listing the choices.
inline PruningSchedule parse_pruning_schedule(const std::string& name) {
  return value_of("schedule", kPruningSchedules, name);
}

struct ScheduleOptions {
  double step = 0.1;    ///< exact and compounding: from one step to the next
  int cubic_steps = 7;  ///< cubic: how many
};

/// All steps of one trajectory to `target`, in order:
/// - one_shot: the target.
/// - exact: step, 2 step, ... of the original count, up to and including the target.
/// - compounding: the arithmetic of the original study, the published one that this project
///   follows. Unstructured: the same fractions as exact, but of what is left: at the target 0.5 and
///   steps of 0.1, 1 - 0.9 * 0.8 * 0.7 * 0.6 * 0.5 of the weights go, 84.9 %. Channels: `step` of
///   what is left, round(target / step) times, at least once.
/// - cubic: after step t of n target * (1 - (1 - t / n)^3) of the original count (Zhu & Gupta 2017,
///   "To prune, or not to prune", equation 1 with s_i = 0).
/// Throws std::invalid_argument unless 0 < target < 1, 0.001 <= step < 1 and cubic_steps > 0.
/// (One-shot takes a target of 0, too, which prunes nothing.)
std::vector<PruningStep> pruning_steps(PruningSchedule schedule, Method method, double target,
                                       const ScheduleOptions& options = {});

}  // namespace edgeprune
