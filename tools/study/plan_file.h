#pragma once
// Studies as JSON files. What a file leaves out is as in the plan of the original study, the
// published one that this project follows (tools/study/plans/original.json); experiments are
// needed. See tools/study/plans/README.md.

#include <string>
#include <vector>

#include "tools/study/study_plan.h"

namespace edgeprune {

/// The names of the plans inside the binary, which are tools/study/plans/*.json: "original",
/// "quick", ...
std::vector<std::string> built_in_plans();

/// A built-in plan by its name, or by one that it had earlier (it then goes by that, so that studies
/// begun with it go on); else the file of that name. Throws FileError("file: key: ...") on
/// what is no plan: a key that is unknown, missing or there twice, a value of another type or an
/// impossible one, rows that are there twice.
StudyPlan load_plan(const std::string& name_or_path);

/// What load_plan() makes of a file's text. `source` names the text in messages.
StudyPlan parse_plan(const std::string& text, const std::string& source);
/// The same, but for what only pruning a network shows: whether the plan's limits can be met.
StudyPlan read_plan(const std::string& text, const std::string& source);

}  // namespace edgeprune
