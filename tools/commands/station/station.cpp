#include "tools/station/station.h"

#include <fmt/format.h>

#include <memory>

#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/measurement/kernel_cache.h"
#include "tools/station/health/server.h"

namespace edgeprune::commands {
namespace {

using namespace station;

struct StationArguments {
  std::string config, format = "md";
  uint64_t items = 0;
  bool check = false;
};

Table stages_table(const Totals& totals) {
  Table table({{"stage", "stage", Align::left},
               {"items", "items"},
               {"mean ms", "mean_ms"},
               {"median ms", "median_ms"},
               {"P99 ms", "p99_ms"},
               {"longest ms", "max_ms"}});
  for (const auto& stage : kStages) {
    const Durations& durations = totals.of(stage.value);
    table.add_row({stage.name, static_cast<int64_t>(durations.count()),
                   Number{durations.mean_ms(), 3}, Number{durations.percentile_ms(50), 3},
                   Number{durations.percentile_ms(99), 3}, Number{durations.max_ms(), 3}});
  }
  return table;
}

/// "3000 items: 2700 ok, 280 reject, 20 review (12 unsure, 8 late)"
std::string summary(const Totals& totals) {
  std::string text = fmt::format("{} items:", totals.items), reasons;
  for (const auto& verdict : kVerdicts) {
    text += fmt::format("{} {} {}", verdict.value == Verdict::ok ? "" : ",",
                        totals.of(verdict.value), verdict.name);
  }
  for (const auto& reason : kReasons) {
    if (reason.value == Reason::confident || totals.of(reason.value) == 0) continue;
    reasons +=
        fmt::format("{}{} {}", reasons.empty() ? "" : ", ", totals.of(reason.value), reason.name);
  }
  return reasons.empty() ? text : fmt::format("{} ({})", text, reasons);
}

void run(const StationArguments& o) {
  const InterruptGuard guard;
  const StationConfig config = read_config(o.config);
  Station station(config, say);
  save_kernel_choices();
  if (o.check) return say(o.config + ": the station can run");
  const HealthServer server(config.page.address, config.page.port,
                            [&] { return station.snapshot(); });
  say(fmt::format("{}: page on http://{}:{}/, PLC at {}:{}; Ctrl-C ends it", config.name,
                  config.page.address, server.port(), config.plc.address, config.plc.port));
  station.run(interrupted, o.items);
  const Snapshot end = station.snapshot();
  say(summary(end.totals));
  if (end.totals.items > 0) print(stages_table(end.totals), o.format);
}

}  // namespace

void add_station(CLI::App& app) {
  auto* command =
      app.add_subcommand("station", "Inspect items on a production line: camera, network, PLC");
  auto o = std::make_shared<StationArguments>();
  command->add_option("--config", o->config, "what the station is made of: station.json")
      ->required();
  command->add_option("--items", o->items, "stop after so many items; 0: never")
      ->capture_default_str();
  command->add_flag("--check", o->check,
                    "read the configuration, load the models, find the camera, and stop");
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune station --config station.json --check\n"
      "  edgeprune station --config station.json                  # until Ctrl-C, which finishes "
      "the item\n"
      "  edgeprune fakeplc --port 1502 & edgeprune station --config station.json --items 3000\n"
      "A configuration, with names of files relative to its folder:\n"
      "  {\"name\": \"line 1\", \"model\": \"parts.safetensors\", \"policy\": \"policy.json\", "
      "\"engine\": \"auto\",\n"
      "   \"camera\": {\"gige\": \"192.168.0.20\", \"pixel_format\": \"RGB8\", \"width\": 640, "
      "\"height\": 480},\n"
      "   \"plc\": {\"address\": \"192.168.0.10\", \"port\": 502},\n"
      "   \"belt\": {\"distance_mm\": 400, \"speed_mm_per_s\": 500, \"actuator_ms\": 30}}\n"
      "All that an item's way took, stage by stage, is printed in the end; while it runs the page "
      "shows it.");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
