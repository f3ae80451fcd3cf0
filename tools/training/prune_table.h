#pragma once
// What pruning takes, planned and done, as tables. Denominators are the unpruned() network's, also
// where channels were removed for good.

#include "models/summary.h"
#include "tools/cli/table.h"
#include "tools/training/pruning_trajectory.h"

namespace edgeprune {

/// Shares of the network before anything was pruned that are zero or gone.
struct Reduction {
  double parameters = 0;     ///< of all of them: what reports call sparsity
  double prunable = 0;       ///< of the Conv2d and Linear weights
  double multiply_adds = 0;  ///< of an image's, zeros skipped
};
Reduction reduction(const ModelSummary& whole, const ModelSummary& now);
/// The network of this model before channels were removed; no weight is zero.
ModelSummary summarize_unpruned(const nn::Network& model);

/// A line for each layer, then the prunable weights and all parameters together.
Table plan_table();
/// `before` and `after` one step, in a network that was `whole`; steps count from 1.
void add_plan_rows(Table& table, size_t step, const ModelSummary& whole, const nn::Network& before,
                   const nn::Network& after);

/// A line for each step done.
Table trajectory_table();
void add_trajectory_row(Table& table, size_t number, const TrajectoryStep& step,
                        const ModelSummary& whole);

/// For people: "40.1 % of all parameters, 41.0 % of the prunable weights, 38.2 % of the
/// multiply-adds zero or gone; 15134720 multiply-adds left".
std::string to_string(const Reduction& reduction, int64_t multiply_adds_left);

}  // namespace edgeprune
