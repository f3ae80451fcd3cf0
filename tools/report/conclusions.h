#pragma once
// The conclusions of the original study (original_results.h), held against our rows.

#include <string>
#include <vector>

#include "engine/base/names.h"
#include "tools/cli/table.h"
#include "tools/report/results.h"

namespace edgeprune {

enum class Verdict { confirmed, overturned, not_decided, not_by_this_plan };
inline constexpr Named<Verdict> kVerdicts[] = {
    {Verdict::confirmed, "confirmed"},
    {Verdict::overturned, "overturned"},
    {Verdict::not_decided, "not decided"},
    {Verdict::not_by_this_plan, "not decided by this plan"}};
static_assert(in_order(kVerdicts));
inline const char* to_string(Verdict verdict) {
  return name_of(kVerdicts, verdict);
}

struct Conclusion {
  std::string claim;  ///< the original study's
  Verdict verdict = Verdict::not_decided;
  std::vector<std::string> reasons;  ///< the rows' numbers, in a sentence or more
};

/// How the verdicts come about, for the reader.
inline constexpr const char* kVerdictRule =
    "A claim about accuracy is confirmed if every pair of rows it speaks of differs in its "
    "direction, at least one of them by McNemar's test (p < 0.05), and overturned if at least one "
    "pair differs significantly against it and none for it; anything else is not decided. A speed "
    "counts as faster if its interval lies above 1.05; noisy timings count nowhere.";

/// When claims are judged at all, for the reader: Results::comparable().
inline constexpr const char* kComparableRule =
    "The original study's conclusions are judged only by a plan that trains about as much as "
    "it did: ten epochs of the baseline or more on all training images, and all test images tested "
    "on. By "
    "any other plan none is confirmed or overturned.";

/// All, in the original study's order (original_results.h), one result a claim. None is judged unless
/// results.comparable().
///   1, 2. magnitude at 30 % and at 50 % (one-shot; exact if there is none) against the baseline
///   3. channel against magnitude, one-shot at the same target
///   4. channel, exact against one-shot
///   5. what compounding rows reached of what they asked for; how closely exact ones land
///   6. the largest factors of speed.h, and from what sparsity on sparse beats dense
std::vector<Conclusion> conclusions(const Results& results);

/// What every iterative row asked for and reached. Weights wanted: of exact unstructured rows,
/// round(target * prunable) zeros.
Table reached_table(const Results& results);

}  // namespace edgeprune
