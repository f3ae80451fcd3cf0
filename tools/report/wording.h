#pragma once
// Numbers as sentences and tables of a report show them.

#include <optional>
#include <string>

#include "tools/cli/table.h"
#include "tools/report/query.h"

namespace edgeprune {

std::string percent_text(double fraction, int precision = 1);  ///< "91.7 %"
std::string points_text(double fraction);                      ///< "+1.07 points"
std::string factor_text(double factor);                        ///< "2.31 times"
std::string factor_text(const Factor& factor);                 ///< "2.31 times (2.25 to 2.36)"
/// "p = 0.012", "p < 0.001"; "not tested" without one.
std::string p_text(const std::optional<double>& p);
std::string capitalised(std::string text);      ///< "confirmed" -> "Confirmed"
std::string timing_text(const Timing& timing);  ///< "batch 64 on 2 threads"
Cell megabytes(int64_t bytes);                  ///< an empty one if there are no bytes

}  // namespace edgeprune
