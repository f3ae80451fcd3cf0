#pragma once

#include "models/summary.h"
#include "pruning/group_plan.h"
#include "tools/cli/table.h"

namespace edgeprune {

/// What removing channels makes of a model: a line for each group, then channels, parameters and
/// multiply-adds of the whole. More lines may follow (add_channel_row()).
Table channel_table(const ChannelPlan& plan, const ModelSummary& before, const ModelSummary& after);

/// One more number, before and after.
void add_channel_row(Table& table, const std::string& what, int64_t before, int64_t after,
                     const std::string& note = "");

}  // namespace edgeprune
