#include <fmt/format.h>

#include "tools/experiment/best_configuration.h"
#include "tools/experiment/report.h"
#include "tools/experiment/speed.h"
#include "tools/experiment/wording.h"

namespace edgeprune {
namespace {

/// "zeroed weights on sparse kernels up to 3.20 times as fast"
std::string up_to(const char* means, const std::optional<Timed>& found) {
  if (!found) return {};
  return fmt::format("{} up to {} as fast ({})", means, factor_text(found->factor),
                     timing_text(found->timing));
}

std::string speed_sentence(const Results& results) {
  const std::vector<Timing> shown = main_timings(results.rows());
  std::string text;
  for (const auto& [means, name] :
       {std::pair(Means::dense_kernels, "zeroed weights on dense kernels are"),
        std::pair(Means::sparse_kernels, "on sparse kernels"),
        std::pair(Means::removed_channels, "with channels removed")}) {
    const std::string part = up_to(name, largest_factor(results, means, shown));
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  }
  if (text.empty()) return {};
  return "Against the unpruned network on dense kernels, " + text + ".";
}

/// Of the rows that keep the accuracy: the one with the largest factor on the first main timing.
std::string price_sentence(const Results& results) {
  const RunRecord* baseline = results.baseline();
  if (baseline == nullptr) return {};
  const std::vector<BestRow> best = best_rows(results);
  if (best.empty()) {
    return fmt::format("No pruned row stays within half a point of the baseline's {} accuracy.",
                       percent_text(baseline->accuracy, 2));
  }
  std::string text = fmt::format(
      "At most half a point below the baseline's {} accuracy, up to {} of the "
      "parameters can be zero ({})",
      percent_text(baseline->accuracy, 2), percent_text(best.front().row->sparsity()),
      best.front().row->id);
  for (const Timing& timing : main_timings(results.rows())) {
    std::optional<Timed> fastest;
    for (const BestRow& one : best) {
      const auto time = fastest_engine(results, *one.row, timing);
      if (time && (!fastest || time->ms < fastest->ms)) fastest = time;
    }
    if (!fastest || fastest->factor <= 0) continue;
    text +=
        fmt::format("; {}, the fastest such network takes {:.3f} ms an image, {} as fast ({}, {})",
                    timing_text(timing), fastest->ms, factor_text(fastest->factor),
                    fastest->row->id, fastest->engine);
  }
  return text + ".";
}

}  // namespace

std::string headline(const Results& results) {
  if (results.rows().empty()) return "No run has finished yet.";
  std::string text;
  for (const std::string& sentence : {speed_sentence(results), price_sentence(results)}) {
    if (!sentence.empty()) text += (text.empty() ? "" : " ") + sentence;
  }
  return text;
}

}  // namespace edgeprune
