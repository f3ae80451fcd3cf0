#pragma once

#include <optional>

#include "tools/cli/table.h"
#include "tools/study/study_plan.h"

namespace edgeprune {

/// How many images an epoch takes, where that is known.
struct EpochImages {
  std::optional<int64_t> baseline, finetuning;
};
/// Of a plan: as many as it says; all there are, if it says so and they have been counted.
EpochImages epoch_images(const StudyPlan& plan, std::optional<int64_t> available);

/// What a plan comes to, before anything is trained: every step with its parent, what it prunes,
/// and what it costs, and the totals.
Table steps_table(const std::vector<StudyStep>& steps, const EpochImages& images);

}  // namespace edgeprune
