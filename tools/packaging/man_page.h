#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace edgeprune::packaging {

/// The manual page of section 1 in man's own markup (roff): what --help shows of the program and of
/// each command.
std::string man_page(const CLI::App& app, const std::string& version);

}  // namespace edgeprune::packaging
