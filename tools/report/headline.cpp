#include <fmt/format.h>

#include "tools/report/best_configuration.h"
#include "tools/report/report.h"
#include "tools/report/speed.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

/// "do (up to 2.87 times (2.80 to 2.93) as fast, batch 64 on 1 thread)"; nothing if no time of it can be
/// trusted.
std::string answer(const Results& results, Means means, const std::vector<Timing>& timings) {
  const auto found = largest_factor(results, means, timings);
  if (!found) return {};
  const std::string evidence =
      fmt::format("{} as fast, {}", factor_text(found->factor), timing_text(found->timing));
  switch (effect_of(means, found->factor)) {
    case Effect::faster:
      return fmt::format("do (up to {})", evidence);
    case Effect::slight:
      return fmt::format("do by a few percent at best ({})", evidence);
    case Effect::slower:
      return fmt::format("make it slower (at most {})", evidence);
    case Effect::none:
      break;
  }
  return fmt::format("do not ({}at most {})", typical_text(results, means, timings), evidence);
}

std::string speed_sentence(const Results& results) {
  const std::vector<Timing> shown = timings(results.rows());  // as the conclusions do
  std::string text;
  for (const auto& [means, subject] :
       {std::pair(Means::dense_kernels, "zeroed weights on dense kernels"),
        std::pair(Means::sparse_kernels, "kernels that skip zeros"),
        std::pair(Means::removed_channels, "removed channels"),
        std::pair(Means::integers, "8-bit integers, pruned or not,")}) {
    const std::string part = answer(results, means, shown);
    if (!part.empty()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", subject, part);
  }
  if (text.empty()) return {};
  return fmt::format("What makes the {}network faster than the unpruned one on dense kernels? {}.",
                     results.has_quantized() ? "" : "pruned ", capitalised(text));
}

/// Of the rows that keep the accuracy: the one with the largest factor on the first main timing.
std::string price_sentence(const Results& results) {
  const RunRecord* baseline = results.baseline();
  if (baseline == nullptr) return {};
  const std::vector<BestRow> best = best_rows(results);
  if (best.empty()) return capitalised(why_none_is_best(results)) + ".";
  const bool pruned = best.front().row->method != "none";
  std::string text = !pruned
                         ? capitalised(why_none_is_best(results))
                         : fmt::format(
                               "At most {} below the baseline's {} accuracy, {} of the "
                               "parameters can go ({})",
                               allowance_text(results), percent_text(baseline->accuracy, 2),
                               percent_text(best.front().row->sparsity()), best.front().row->id);
  for (const Timing& timing : main_timings(results.rows())) {
    std::optional<TimedRow> fastest;
    for (const BestRow& one : best) {
      const auto time = fastest_engine(results, *one.row, timing);
      if (time && (!fastest || time->factor.low > fastest->factor.low)) fastest = time;
    }
    if (!fastest) continue;
    text += fmt::format(
        "; {}, the fastest {} takes {:.3f} ms an image, {} as fast as the unpruned one ({}, {})",
        timing_text(timing), pruned ? "such network" : "network that does", fastest->ms.median,
        factor_text(fastest->factor), fastest->row->id, fastest->engine);
  }
  return text + ".";
}

}  // namespace

std::string headline(const Results& results) {
  if (results.rows().empty()) return "No run has finished yet.";
  std::string text;
  for (const std::string& sentence :
       {speed_sentence(results), noise_sentence(results), price_sentence(results)}) {
    if (!sentence.empty()) text += (text.empty() ? "" : " ") + sentence;
  }
  return text;
}

}  // namespace edgeprune
