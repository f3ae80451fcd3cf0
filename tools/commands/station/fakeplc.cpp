#include "tools/station/plc/fake_plc.h"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

#include "engine/base/file.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/station/pipeline/durations.h"

namespace edgeprune::commands {
namespace {

using namespace station;
using namespace std::chrono_literals;

struct FakePlcArguments {
  std::string address = "127.0.0.1", out, format = "md";
  int port = 1502;
  double rate = 10, jitter = 0, to_diverter_ms = 200, scan_ms = 1;
  uint64_t items = 0, seed = 0;
  bool expose = false;
};

/// What became of the belt's items.
struct Belt {
  std::array<uint64_t, std::size(kOutcomes)> outcomes{};
  Durations to_result;
  std::string lines = "item,epoch,trigger,outcome,to_result_ms\n";

  void add(const Gone& item) {
    ++outcomes[static_cast<size_t>(item.outcome)];
    if (item.to_result) to_result.add(*item.to_result);
    lines += fmt::format(
        "{},{},{},{},{}\n", item.number, item.id.epoch, item.id.trigger,
        name_of(kOutcomes, item.outcome),
        item.to_result
            ? fmt::format("{:.3f}",
                          std::chrono::duration<double, std::milli>(*item.to_result).count())
            : "");
  }
};

Table table_of(const Belt& belt, const FakePlc& plc) {
  Table table({{"what", "what", Align::left}, {"items", "items"}, {"ms", "ms"}});
  for (const auto& outcome : kOutcomes) {
    table.add_row({outcome.name,
                   static_cast<int64_t>(belt.outcomes[static_cast<size_t>(outcome.value)]),
                   {}});
  }
  table.add_row({"results_too_late", static_cast<int64_t>(plc.late_results()), {}});
  table.add_row({"results_for_no_item", static_cast<int64_t>(plc.unknown_results()), {}});
  const auto count = static_cast<int64_t>(belt.to_result.count());
  for (const auto& [name, ms] :
       {std::pair("trigger_to_coil_median", belt.to_result.percentile_ms(50)),
        std::pair("trigger_to_coil_p99", belt.to_result.percentile_ms(99)),
        std::pair("trigger_to_coil_max", belt.to_result.max_ms())}) {
    table.add_row({name, count, Number{ms, 3}});
  }
  return table;
}

void run(const FakePlcArguments& o) {
  require_usage(o.expose || o.address.starts_with("127."), "fakeplc",
                "--address: {} is not of this machine alone, and Modbus TCP knows no passwords: "
                "--expose if that is meant",
                o.address);
  const InterruptGuard guard;
  const auto claim = o.out.empty() ? nullptr : claim_output(o.out);
  const auto from_ms = [](double ms) {
    return std::chrono::nanoseconds(static_cast<int64_t>(ms * 1e6));
  };
  FakePlcOptions options;
  options.address = o.address;
  options.port = o.port;
  options.scan = std::chrono::duration_cast<std::chrono::microseconds>(from_ms(o.scan_ms));
  options.paused = true;
  options.conveyor = {o.rate, o.jitter, from_ms(o.to_diverter_ms), o.items, o.seed, 1, 0};
  FakePlc plc(options);
  say(fmt::format("fake PLC on {}:{}: items come when a station was heard; Ctrl-C ends it",
                  o.address, plc.port()));
  Belt belt;
  do {
    std::this_thread::sleep_for(20ms);
    for (const Gone& item : plc.take_gone()) belt.add(item);
  } while (!plc.finished() && !interrupted());
  for (const Gone& item : plc.take_gone()) belt.add(item);
  if (!o.out.empty()) write_file_atomically(o.out, belt.lines);
  print(table_of(belt, plc), o.format);
}

}  // namespace

void add_fakeplc(CLI::App& app) {
  auto* command = app.add_subcommand(
      "fakeplc", "A PLC with a conveyor, over Modbus TCP, to try a station with");
  auto o = std::make_shared<FakePlcArguments>();
  command->add_option("--address", o->address, "the address that it answers on")
      ->capture_default_str();
  command->add_option("--port", o->port, "its port; 0: any that is free")
      ->check(between(0, 65535))
      ->capture_default_str();
  command->add_flag("--expose", o->expose, "allow an address that other machines reach");
  command->add_option("--rate", o->rate, "items a second")
      ->check(between(0.001, 1000))
      ->capture_default_str();
  command->add_option("--jitter", o->jitter, "by how much of it the time between items varies")
      ->check(between(0, 0.99))
      ->capture_default_str();
  command->add_option("--items", o->items, "stop after so many; 0: never")->capture_default_str();
  command
      ->add_option("--to-diverter", o->to_diverter_ms,
                   "milliseconds from the sensor to where an item passes or is diverted")
      ->check(between(1, 60000))
      ->capture_default_str();
  command->add_option("--scan", o->scan_ms, "milliseconds of the PLC's cycle")
      ->check(between(0.1, 1000))
      ->capture_default_str();
  command->add_option("--seed", o->seed, "of the jitter")->check(seed())->capture_default_str();
  command->add_option("--out", o->out, "a CSV file of what became of each item");
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune fakeplc --rate 10 --items 3000 --out items.csv\n"
      "  mbpoll -p 1502 -0 -t 4 -r 0 -c 5 -1 127.0.0.1             # its registers, by another "
      "program\n"
      "An item passes only with a fresh ok for its own id; silence, doubt and contradiction divert "
      "it. Registers: tools/station/README.md.\n"
      "Modbus TCP is neither safe nor authenticated.");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
