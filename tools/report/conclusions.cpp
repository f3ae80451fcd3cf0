#include "tools/report/conclusions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "tools/report/original_results.h"
#include "tools/report/query.h"
#include "tools/report/speed.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

constexpr double kOvershoot = 0.01;  // of the prunable weights
constexpr double kTargets[] = {0.3, 0.5, 0.7};

/// Comparisons that all speak of one claim: `better` is what it predicts.
struct Evidence {
  int pairs = 0, in_direction = 0, significantly_for = 0, significantly_against = 0;
  std::vector<std::string> sentences;

  Verdict verdict() const {
    if (significantly_for > 0 && in_direction == pairs) return Verdict::confirmed;
    if (significantly_against > 0 && significantly_for == 0) return Verdict::overturned;
    return Verdict::not_decided;
  }
  std::string text() const {
    return pairs > 0 ? fmt::format("{}", fmt::join(sentences, "; ")) : "no rows";
  }
};

/// Adds "A 91.7 % against B's 89.8 % (+1.9 points, p < 0.001)".
void add(Evidence& evidence, const Results& results, const RunRecord& row, const RunRecord& other,
         bool claims_better) {
  const Comparison found = results.compare(row, other);
  ++evidence.pairs;
  evidence.in_direction += claims_better ? found.difference > 0 : found.difference < 0;
  evidence.significantly_for += claims_better ? found.better() : found.worse();
  evidence.significantly_against += claims_better ? found.worse() : found.better();
  evidence.sentences.push_back(
      fmt::format("{} {} against {} {} ({}, {})", row.id, percent_text(row.accuracy, 2), other.id,
                  percent_text(other.accuracy, 2), points_text(found.difference), p_text(found.p)));
}

Conclusion without_rows(const char* claim) {
  return {.claim = claim, .reasons = {"No such rows in this study."}};
}

Conclusion decided(const char* claim, const Evidence& evidence) {
  if (evidence.pairs == 0) return without_rows(claim);
  return {claim, evidence.verdict(), {evidence.text() + "."}};
}

Conclusion unstructured_beats_baseline(const Results& results, const char* claim, double target) {
  const RunRecord* baseline = results.baseline();
  if (baseline == nullptr) return without_rows(claim);
  for (const std::string schedule : {"one-shot", "exact"}) {
    const RunRecord* row = results.find("magnitude", "mask", schedule, target);
    if (row == nullptr) continue;
    Evidence evidence;
    add(evidence, results, *row, *baseline, true);
    Conclusion conclusion = decided(claim, evidence);
    if (row->epochs_spent > 0) {
      conclusion.reasons.push_back(fmt::format(
          "The pruned row was trained {} epoch{} longer than the baseline, which had {}.",
          row->epochs_spent, row->epochs_spent == 1 ? "" : "s", baseline->epochs));
    }
    return conclusion;
  }
  return without_rows(claim);
}

Conclusion structured_hurts_more(const Results& results) {
  Evidence evidence;
  for (const double target : kTargets) {
    const RunRecord* channel = results.find("channel", "mask", "one-shot", target);
    const RunRecord* magnitude = results.find("magnitude", "mask", "one-shot", target);
    if (channel != nullptr && magnitude != nullptr)
      add(evidence, results, *channel, *magnitude, false);
  }
  return decided(kOriginalClaims[2], evidence);
}

Conclusion iterating_softens(const Results& results) {
  Evidence evidence;
  for (const double target : kTargets) {
    const RunRecord* channel = results.find("channel", "mask", "one-shot", target);
    const RunRecord* iterated = results.find("channel", "mask", "exact", target);
    if (channel != nullptr && iterated != nullptr)
      add(evidence, results, *iterated, *channel, true);
  }
  return decided(kOriginalClaims[3], evidence);
}

Conclusion iterating_overshoots(const Results& results) {
  Conclusion conclusion = without_rows(kOriginalClaims[4]);
  std::vector<std::string> reached;
  int overshot = 0, unstructured = 0;
  double furthest = 0;
  int exact = 0;
  for (const RunRecord& row : results.rows()) {
    if (row.is_quantized()) continue;
    const double beyond = row.prunable_sparsity() - row.target;
    if (row.schedule == "compounding") {
      reached.push_back(fmt::format("{} reached {}", row.id, percent_text(row.sparsity())));
      if (by_channels(row)) continue;
      ++unstructured;
      overshot += beyond > kOvershoot;
    } else if (row.schedule == "exact" && !by_channels(row)) {
      ++exact;
      furthest = std::max(furthest, std::abs(beyond) * static_cast<double>(row.prunable));
    }
  }
  if (reached.empty()) return conclusion;
  if (unstructured > 0) {
    conclusion.verdict = overshot == unstructured ? Verdict::confirmed
                         : overshot == 0          ? Verdict::overturned
                                                  : Verdict::not_decided;
  }
  conclusion.reasons = {fmt::format(
      "Each step's fraction is taken of what is left (compounding): {} of all parameters. "
      "Growing fractions of what is left overshoot; a constant tenth falls short.",
      fmt::join(reached, ", "))};
  if (exact > 0) {
    conclusion.reasons.push_back(
        fmt::format("The exact schedule's {} unstructured row{}: at most {:.0f} of {} weights off "
                    "their target.",
                    exact, exact == 1 ? "" : "s", furthest, results.rows().front().prunable));
  }
  return conclusion;
}

std::string factor_sentence(const Results& results, Means means, const char* subject) {
  const std::vector<Timing> all = timings(results.rows());
  const auto found = largest_factor(results, means, all);
  if (!found) {
    const bool timed = std::ranges::any_of(results.rows(), [&](const RunRecord& row) {
      return std::ranges::any_of(
          row.latency, [&](const LatencyCell& cell) { return applies(means, row, cell.engine); });
    });
    return fmt::format("{}: {}.", subject,
                       timed ? "no timing that can be trusted" : "no such rows in this study");
  }
  const Effect effect = effect_of(means, found->factor);
  return fmt::format(
      "{}: {}{}{} {} as fast as the unpruned network on dense kernels ({} on the {} engine, {}){}.",
      subject, typical_text(results, means, all), effect == Effect::slower ? "slower, " : "",
      effect == Effect::faster ? "up to" : "at most", factor_text(found->factor), found->row->id,
      found->engine, timing_text(found->timing),
      effect == Effect::slight
          ? fmt::format(", a few percent faster, but not the {:.0f} % that count",
                        100 * (kFaster - 1))
          : "");
}

Conclusion nothing_is_faster(const Results& results) {
  Conclusion conclusion{.claim = kOriginalClaims[5], .reasons = {}};
  const std::vector<Timing> all = timings(results.rows());
  bool measured = false, faster = false;
  for (const auto& [means, subject] :
       {std::pair(Means::dense_kernels, "Zeros on dense kernels, as in the original study"),
        std::pair(Means::sparse_kernels, "Zeros on sparse kernels"),
        std::pair(Means::removed_channels, "Channels removed")}) {
    measured |= largest_factor(results, means, all).has_value();
    faster |= made_faster(results, means, all);
    conclusion.reasons.push_back(factor_sentence(results, means, subject));
  }
  if (!measured) {
    const std::string why = noise_sentence(results);
    conclusion.reasons = {why.empty() ? "Nothing was timed." : why};
    return conclusion;
  }
  conclusion.verdict = faster ? Verdict::overturned : Verdict::confirmed;
  for (std::string& sentence : sparse_against_dense(results)) {
    conclusion.reasons.push_back(std::move(sentence));
  }
  return conclusion;
}

}  // namespace

std::vector<Conclusion> conclusions(const Results& results) {
  std::vector<Conclusion> all = {unstructured_beats_baseline(results, kOriginalClaims[0], 0.3),
                                 unstructured_beats_baseline(results, kOriginalClaims[1], 0.5),
                                 structured_hurts_more(results),
                                 iterating_softens(results),
                                 iterating_overshoots(results),
                                 nothing_is_faster(results)};
  if (!results.comparable()) {
    for (Conclusion& one : all) one.verdict = Verdict::not_by_this_plan;
  }
  return all;
}

Table reached_table(const Results& results) {
  std::vector<Column> columns = {{"row", "id", Align::left},
                                 {"asked %", "target_percent"},
                                 {"of prunable %", "prunable_sparsity_percent"},
                                 {"of all %", "sparsity_percent"},
                                 {"zeros wanted", "zeros_wanted"},
                                 {"zeros got", "zeros"}};
  if (results.follows_original()) {
    columns.insert(columns.begin() + 4, {"original: of all %", "document_sparsity_percent"});
  }
  Table table(std::move(columns));
  for (const RunRecord& row : results.rows()) {
    if (row.schedule == "none" || row.schedule == "one-shot" || row.is_quantized()) continue;
    const bool by_weight = !by_channels(row) && row.schedule != "compounding";
    std::vector<Cell> cells = {row.id,
                               Number{100 * row.target, 1},
                               Number{100 * row.prunable_sparsity(), 2},
                               Number{100 * row.sparsity(), 2},
                               by_weight ? Cell(static_cast<int64_t>(std::llround(
                                               row.target * static_cast<double>(row.prunable))))
                                         : Cell(),
                               row.prunable - row.nonzero_prunable};
    if (results.follows_original()) {
      const OriginalRow* original = find_original_row(row);
      cells.insert(cells.begin() + 4,
                   original != nullptr ? Cell(original->sparsity.to_string()) : Cell());
    }
    table.add_row(std::move(cells));
  }
  return table;
}

}  // namespace edgeprune
