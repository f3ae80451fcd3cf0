#pragma once
// Scripts that complete the command line on the Tab key: commands, options, the values of those
// that have a few choices (also behind a comma where lists are taken), else names of files.

#include <CLI/CLI.hpp>
#include <string>

namespace edgeprune::packaging {

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace edgeprune::packaging
