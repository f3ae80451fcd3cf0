#pragma once
// The subcommands, one file each: every function adds its options to the command line and says what
// to run.

#include <CLI/CLI.hpp>

namespace edgeprune::commands {

void add_import(CLI::App& app);
void add_train(CLI::App& app);
void add_eval(CLI::App& app);
void add_prune(CLI::App& app);
void add_compact(CLI::App& app);
void add_quantize(CLI::App& app);
void add_export(CLI::App& app);
void add_predict(CLI::App& app);
void add_info(CLI::App& app);
void add_latency(CLI::App& app);
void add_breakeven(CLI::App& app);
void add_sensitivity(CLI::App& app);
void add_study(CLI::App& app);
void add_report(CLI::App& app);
#ifdef EDGEPRUNE_STATION
void add_station(CLI::App& app);
void add_fakeplc(CLI::App& app);
void add_fakecamera(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_bundle(CLI::App& app);
void add_drift(CLI::App& app);
#endif

/// All of them, in the order of --help.
inline constexpr void (*kCommands[])(CLI::App& app) = {
    add_import,  add_train,   add_eval,       add_prune,     add_compact,   add_quantize,
    add_export,  add_predict, add_info,       add_latency,   add_breakeven, add_sensitivity,
    add_study,   add_report,
#ifdef EDGEPRUNE_STATION
    add_station, add_fakeplc, add_fakecamera, add_calibrate, add_bundle,    add_drift,
#endif
};

}  // namespace edgeprune::commands
