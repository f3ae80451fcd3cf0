#include <fmt/format.h>

#include <filesystem>

#include "tools/report/best_configuration.h"
#include "tools/report/report.h"
#include "tools/report/speed.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

std::string baseline_line(const Results& results) {
  const RunRecord* baseline = results.baseline();
  if (baseline == nullptr) return "baseline: there is none yet";
  return fmt::format("baseline: {} ± {:.2f} points on {} test images, after {} epoch{}",
                     percent_text(baseline->accuracy, 2), 100 * results.resolution(),
                     baseline->test_images, baseline->epochs_spent,
                     baseline->epochs_spent == 1 ? "" : "s");
}

std::string best_line(const Results& results, const std::vector<BestRow>& best) {
  if (results.baseline() == nullptr) return "best at equal accuracy: there is no baseline yet";
  if (best.empty() || best.front().row->method == "none")
    return "best at equal accuracy: " + why_none_is_best(results);
  const RunRecord& row = *best.front().row;
  return fmt::format("best at equal accuracy: {}: {} of the parameters gone, {} ({})", row.id,
                     percent_text(row.sparsity()), percent_text(row.accuracy, 2),
                     points_text(row.accuracy - results.baseline()->accuracy));
}

/// Of the rows of equal accuracy; of all rows if none of those is there, and that is said.
std::string speed_line(const Results& results, const std::vector<BestRow>& best) {
  std::optional<TimedRow> fastest;
  const auto consider = [&](const RunRecord& row) {
    for (const Timing& timing : timings({row})) {
      const auto time = fastest_engine(results, row, timing);
      if (time && (!fastest || time->factor.low > fastest->factor.low)) fastest = time;
    }
  };
  for (const BestRow& one : best) consider(*one.row);
  const bool equal = fastest.has_value();
  for (const RunRecord& row : results.rows()) {
    if (!equal && &row != results.baseline()) consider(row);
  }
  if (!fastest) {
    const std::string why = noise_sentence(results);
    return "speed: " + (why.empty() ? "no pruned row was timed" : why);
  }
  const double high = fastest->factor.high, low = fastest->factor.low;
  return fmt::format(
      "speed: {}{} as fast as unpruned: {}, {}, {}{}",
      high < 1   ? "slower, at best "
      : low <= 1 ? "no faster, at best "
                 : "",
      factor_text(fastest->factor), fastest->row->id, fastest->engine, timing_text(fastest->timing),
      equal ? "" : fmt::format(", but accuracy {}", percent_text(fastest->row->accuracy, 2)));
}

/// A noisy study is timed anew; a short one leads to the whole; a whole one to its best model.
std::string next_line(const Results& results, const std::vector<BestRow>& best,
                      const std::string& folder) {
  const auto& about = results.about();
  const std::string why = noise_sentence(results);
  if (about && !why.empty()) {
    return fmt::format(
        "next: edgeprune study --plan {} --remeasure --out {}",
        shell_quoted(about->plan_as_given.empty() ? about->plan : about->plan_as_given),
        shell_quoted(folder));
  }
  if (about && about->plan == "quick") {
    return fmt::format("next: edgeprune study --data {} --weights {} --out {}",
                       shell_quoted(about->data), shell_quoted(about->weights),
                       shell_quoted(folder + "-original"));
  }
  const RunRecord& row = best.empty() ? results.rows().front() : *best.front().row;
  return fmt::format("next: edgeprune info --model {}",
                     shell_quoted((std::filesystem::path(folder) / row.checkpoint).string()));
}

}  // namespace

std::vector<std::string> summary(const Results& results, const std::string& folder) {
  const std::vector<BestRow> best = best_rows(results);
  return {baseline_line(results), best_line(results, best), speed_line(results, best),
          "report: " + (std::filesystem::path(folder) / "report.html").string(),
          next_line(results, best, folder)};
}

}  // namespace edgeprune
