#include "tools/experiment/report.h"

#include <fmt/format.h>
#include <filesystem>

#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/commands/write_report.h"
#include "tools/experiment/gnuplot.h"
#include "tools/experiment/plots.h"

namespace edgeprune::commands {

void write_report(const std::string& folder, const std::string& format) {
  namespace fs = std::filesystem;
  const fs::path root(folder);
  const std::vector<RunRecord> records = read_records((root / "runs.jsonl").string());
  require_file(!records.empty(), (root / "runs.jsonl").string(), "no finished runs yet");
  write_file_atomically((root / "report.md").string(), report_markdown(records));
  if (format == "md") {
    fmt::print("{}\n", report_markdown(records));  // the table in one piece is too wide to read
  } else {
    print(results_table(records), format);
  }
  say("report: " + (root / "report.md").string());
  try {
    fs::create_directories(root / "plots");
    for (const std::string& path : write_plots(records, (root / "plots").string())) {
      say("plot: " + path);
    }
  } catch (const PlotError& error) {
    say(fmt::format("no plots: {}", error.what()));
  }
}

void add_report(CLI::App& app) {
  auto* command = app.add_subcommand("report", "Table and plots of a study's finished runs");
  struct Options {
    std::string folder, format = "md";
  };
  auto o = std::make_shared<Options>();
  command->add_option("folder", o->folder, "a study's --out")->required();
  add_format(*command, o->format);
  command->footer("Example:\n  edgeprune report out/quickstart --format csv > results.csv");
  command->callback([o] { write_report(o->folder, o->format); });
}

}  // namespace edgeprune::commands
