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
  compounding,  ///< the document's: each step takes its fraction of what is left, and overshoots
  cubic,        ///< much at first, ever less later (Zhu & Gupta 2017)
};
/// "one-shot", "exact", "compounding", "cubic".
const char* to_string(PruningSchedule schedule);
/// Throws std::invalid_argument listing the choices.
PruningSchedule parse_pruning_schedule(const std::string& name);

struct ScheduleOptions {
  double step = 0.1;    ///< exact and compounding: from one step to the next
  int cubic_steps = 7;  ///< cubic: how many
};

/// All steps of one trajectory to `target`, in order:
/// - one_shot: the target.
/// - exact: step, 2 step, ... of the original count, up to and including the target.
/// - compounding: as protocol.md describes the document's arithmetic. Unstructured: the same
///   fractions as exact, but of what is left (1 - 0.9 * 0.8 * ... goes). Channels: `step` of what
///   is left, round(target / step) times, at least once.
/// - cubic: after step t of n target * (1 - (1 - t / n)^3) of the original count (Zhu & Gupta 2017,
///   "To prune, or not to prune", equation 1 with s_i = 0).
/// Throws std::invalid_argument unless 0 < target < 1, 0.001 <= step < 1 and cubic_steps > 0.
/// (One-shot takes a target of 0, too, which prunes nothing.)
std::vector<PruningStep> pruning_steps(PruningSchedule schedule, Method method, double target,
                                       const ScheduleOptions& options = {});

}  // namespace edgeprune
