#include <algorithm>
#include <csignal>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "engine/base/check.h"
#include "engine/kernels/int8/dot_products.h"
#include "engine/kernels/onednn/waiting.h"
#include "engine/kernels/simd/target.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/text.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/measurement/kernel_cache.h"
#include "tools/measurement/memory.h"
#include "tools/measurement/pinning.h"
#include "tools/packaging/printing_options.h"

namespace {

constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;

int fail(const std::string& message, int code) {
  edgeprune::commands::say(fmt::format("edgeprune: {}", message));
  return code;
}

/// ": did you mean 'eval'?", or nothing.
std::string meant(const std::string& word, const std::vector<std::string>& known) {
  const std::string nearest = edgeprune::nearest(word, known);
  return nearest.empty() ? "" : fmt::format(": did you mean {}?", nearest);
}

/// What is to be said of an argument that nobody takes; nothing if there is none. CLI11 names what is
/// missing instead, though a slip of the pen may be why.
std::string about_unknown_argument(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    const std::vector<std::string> unknown = command->remaining();
    if (unknown.empty()) continue;
    // An unknown option's value is unknown likewise, and not to blame.
    const auto option = std::find_if(unknown.begin(), unknown.end(),
                                     [](const std::string& word) { return word.starts_with('-'); });
    if (option == unknown.end()) {
      return fmt::format("[{}] '{}' is one argument too many", command->get_name(), unknown[0]);
    }
    std::vector<std::string> known;
    for (const CLI::Option* one : command->get_options()) {
      for (const std::string& name : one->get_lnames()) known.push_back("--" + name);
    }
    const std::string name = option->substr(0, option->find('='));
    return fmt::format("[{}] there is no option {}{}", command->get_name(), name,
                       meant(name, known));
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) try {
  // A write that fails says so, and what is half written is removed: neither a limit of file sizes
  // nor a reader of stderr that went away kills hours of work.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  edgeprune::onednn::wait_briefly();
  edgeprune::adopt_openmp_places();
  CLI::App app{
      "edgeprune: trains, prunes and times convolutional networks on this CPU, to say when sparse "
      "beats "
      "dense",
      "edgeprune"};
  app.require_subcommand(1);
  edgeprune::packaging::add_printing_options(app, EDGEPRUNE_VERSION);
  app.footer(
      "A first run, in minutes:\n"
      "  edgeprune study --data synthetic:10000 --weights random --out out/first --quick\n"
      "'edgeprune COMMAND --help' shows a command's options and examples.\n"
      "Environment:\n"
      "  EDGEPRUNE_DATA      default of --data\n"
      "  EDGEPRUNE_WEIGHTS   default of --weights\n"
      "  EDGEPRUNE_SIMD      instruction set of the kernels, as --version lists them; default: the "
      "best\n"
      "  EDGEPRUNE_VNNI      0: integer kernels do without instructions for dot products (VNNI)\n"
      "  XDG_CACHE_HOME      where the fastest kernels are remembered; default: ~/.cache\n"
      "Exit status: 0 done, 1 failed, 2 wrong usage (an option is unknown, missing, out of its "
      "range, or "
      "excludes another), 130 interrupted.");
  namespace commands = edgeprune::commands;
  for (const auto add : commands::kCommands) add(app);
  try {
    edgeprune::simd::pin_target_from_environment();
    edgeprune::int8::allow_dot_products_by_environment();
  } catch (const std::invalid_argument& error) {
    return fail(error.what(), kUsage);
  }
  edgeprune::refuse_more_than_available_memory();
  // CLI11 would only say that a subcommand is required.
  const auto is_first_argument = [&](const CLI::App* command) {
    return command->get_name() == argv[1];
  };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_first_argument).empty()) {
    std::vector<std::string> known;
    for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
    return fail(fmt::format("there is no command '{}'{} (edgeprune --help lists them)", argv[1],
                            meant(argv[1], known)),
                kUsage);
  }
  edgeprune::tell_what_is_timed(commands::say);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {  // --help, --version
    app.exit(help);
    edgeprune::require_file(std::cout.flush().good(), "standard output", "cannot write");
    return 0;
  } catch (const CLI::ParseError& error) {
    const std::string unknown = about_unknown_argument(app);
    return fail(unknown.empty() ? error.what() : unknown, kUsage);
  }
  edgeprune::save_kernel_choices();
  return 0;
} catch (const edgeprune::Interrupted&) {
  return fail(
      "interrupted; train, prune and study go on where they were with --resume, sensitivity "
      "without",
      kInterrupted);
} catch (const std::bad_alloc&) {
  return fail("not enough memory", kFailed);
} catch (const std::exception& error) {
  return fail(error.what(), kFailed);
}
