#include "tools/report/report.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/commands/write_report.h"
#include "tools/report/results_table.h"
#include "tools/study/about.h"

namespace edgeprune::commands {
namespace {

namespace fs = std::filesystem;

std::vector<DrawnPicture> draw_pictures(const Results& results, const fs::path& folder) {
  try {
    fs::create_directories(folder);
    std::vector<DrawnPicture> drawn = write_pictures(results, folder.string());
    for (const DrawnPicture& one : drawn)
      say("plot: " + (folder / one.name).string() + ".svg, .png");
    return drawn;
  } catch (const PlotError& error) {
    say(fmt::format("no plots: {}", error.what()));
    return {};
  }
}

}  // namespace

void write_report(const std::string& folder, const std::string& format) {
  const fs::path root(folder);
  const std::string runs = (root / "runs.jsonl").string();
  require_file(fs::is_directory(root), runs, "there is no folder {}", folder);
  const Results results(read_records(runs), read_about(folder));
  require_file(!results.rows().empty(), runs, "no finished runs yet");
  // First of all: what cannot be read is found before anything is written.
  const Table table = results_table(results);
  const Page page = report_page(results, draw_pictures(results, root / "plots"));
  const std::string markdown = to_markdown(page);
  write_file_atomically((root / "report.md").string(), markdown);
  write_file_atomically((root / "report.html").string(), to_html(page));
  write_file_atomically((root / "results.csv").string(), table.render(Format::csv));
  if (format != "md") print(table, format);  // as text it is too wide to read: report.md has it
  for (const std::string& line : summary(results, folder)) {
    if (format == "md") {
      print(line + "\n");
    } else {
      say(line);
    }
  }
}

void add_report(CLI::App& app) {
  auto* command = app.add_subcommand(
      "report", "Conclusions, tables and plots of a study's finished runs, as one page");
  struct Options {
    std::string folder, format = "md";
  };
  auto o = std::make_shared<Options>();
  command->add_option("folder", o->folder, "a study's --out")->required();
  add_format(*command, o->format);
  command->footer(
      "Writes report.html (one file, opens offline), report.md, results.csv and plots/ into the "
      "folder, and prints five lines: baseline, best at equal accuracy, speed, report, next "
      "command. With --format csv or json all rows go to stdout.\n"
      "Examples:\n"
      "  edgeprune report out/quickstart\n"
      "  edgeprune report out/quickstart --format csv > results.csv");
  command->callback([o] { write_report(o->folder, o->format); });
}

}  // namespace edgeprune::commands
