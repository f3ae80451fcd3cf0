#pragma once

#include <string>

namespace edgeprune::commands {

/// From a study's runs.jsonl: report.html, report.md and plots/*.{svg,png} in its folder, and the
/// results on stdout. Without gnuplot the plots are left out, with a line on stderr.
void write_report(const std::string& folder, const std::string& format);

}  // namespace edgeprune::commands
