#pragma once
// What --help shows of the command line, for those who write it down in other forms: the man page
// and the shells' completions. All of it is read from CLI11, so that nothing is listed twice.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace edgeprune::packaging {

/// The options of a command that have a name ("--data"), hidden ones aside.
std::vector<const CLI::Option*> named_options(const CLI::App& command);
/// The arguments that have a place instead of a name, as predict's images.
std::vector<const CLI::Option*> positional_options(const CLI::App& command);
std::vector<const CLI::App*> subcommands(const CLI::App& app);

/// "-h", "--help"
std::vector<std::string> names(const CLI::Option& option);
/// False for flags.
bool takes_value(const CLI::Option& option);
/// Whether a value may be the name of a file, as far as its type says: any text that is not one of
/// a few choices.
bool takes_file(const CLI::Option& option);
/// The values that the option is checked against: "md", "csv", "json". Empty: there is no such
/// list.
std::vector<std::string> choices(const CLI::Option& option);

}  // namespace edgeprune::packaging
