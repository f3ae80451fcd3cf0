#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace edgeprune::packaging {

/// Options that print and end, as --help does: --version, and --generate, which makes the man page
/// and the shells' completions of what `app` has by then. The build installs those, so that --help
/// does not mention it.
void add_printing_options(CLI::App& app, const std::string& version);

}  // namespace edgeprune::packaging
