#include "tools/report/original_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace edgeprune {

std::string OriginalFigure::to_string() const {
  if (low == high) return fmt::format("{:.{}f}", low, precision);
  return fmt::format("{:.{}f}–{:.{}f}", low, precision, high, precision);
}

std::span<const OriginalRow> original_rows() {
  const auto percent = [](double value) { return OriginalFigure{value, value, 1}; };
  const auto rounded = [](double value) { return OriginalFigure{value, value, 0}; };
  const auto ms = [](double low, double high) { return OriginalFigure{low, high, 2}; };
  static const std::vector<OriginalRow> kRows = {
      {"none", "none", 0, rounded(0), percent(89.8), ms(1.0, 1.0)},
      {"magnitude", "one-shot", 0.3, rounded(30), percent(91.7), ms(0.95, 1.2)},
      {"magnitude", "one-shot", 0.5, rounded(50), percent(91.7), ms(0.95, 1.2)},
      {"magnitude", "one-shot", 0.7, rounded(69), percent(91.4), ms(0.95, 1.2)},
      {"channel", "one-shot", 0.3, rounded(29), percent(83.7), ms(1.0, 1.25)},
      {"channel", "one-shot", 0.5, rounded(49), percent(66.8), ms(1.0, 1.25)},
      {"channel", "one-shot", 0.7, rounded(69), percent(54.8), ms(1.0, 1.25)},
      {"magnitude", "compounding", 0.5, percent(83.6), percent(88.7), {}},
      {"magnitude", "compounding", 0.7, percent(96.7), percent(12.4), ms(1.27, 1.27)},
      {"channel", "compounding", 0.3, percent(26.6), percent(85.6), ms(1.17, 1.31)},
      {"channel", "compounding", 0.5, percent(40.1), percent(79.8), ms(1.17, 1.31)},
      {"channel", "compounding", 0.7, percent(51.1), percent(73.0), ms(1.17, 1.31)},
  };
  return kRows;
}

const OriginalRow* find_original_row(const RunRecord& row) {
  if (!row.recovery.empty() || !row.limits.empty() || row.is_quantized() ||
      (row.mode != "mask" && row.method != "none"))
    return nullptr;
  const auto rows = original_rows();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const OriginalRow& candidate) {
    return candidate.method == row.method && candidate.schedule == row.schedule &&
           std::abs(candidate.target - row.target) < 1e-9;
  });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace edgeprune
