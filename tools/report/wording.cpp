#include "tools/report/wording.h"

#include <fmt/format.h>

#include <cctype>

namespace edgeprune {

std::string percent_text(double fraction, int precision) {
  return fmt::format("{:.{}f} %", 100 * fraction, precision);
}

std::string points_text(double fraction) {
  return fmt::format("{:+.2f} points", 100 * fraction);
}

std::string factor_text(double factor) {
  return fmt::format("{:.2f} times", factor);
}

std::string factor_text(const Factor& factor) {
  return fmt::format("{:.2f} times ({:.2f} to {:.2f})", factor.median, factor.low, factor.high);
}

std::string p_text(const std::optional<double>& p) {
  if (!p) return "not tested";
  if (*p < 0.001) return "p < 0.001";
  return fmt::format("p = {:.{}f}", *p, *p < 0.1 ? 3 : 2);
}

std::string capitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string timing_text(const Timing& timing) {
  return fmt::format("batch {} on {} thread{}", timing.batch, timing.threads,
                     timing.threads == 1 ? "" : "s");
}

Cell megabytes(int64_t bytes) {
  return bytes > 0 ? Cell(Number{static_cast<double>(bytes) / 1e6, 2}) : Cell();
}

}  // namespace edgeprune
