#pragma once
// What calibrate and bundle say of classes, spelt and explained alike.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace edgeprune::commands {

/// Throws std::invalid_argument("[option] ...") listing the classes.
size_t index_of_class(const char* option, const std::string& name,
                      const std::vector<std::string>& classes);

/// --recall, checked as far as the command line alone goes.
CLI::Option* add_recalls(CLI::App& command, std::vector<std::string>& recalls,
                         const std::string& meaning);

/// By class; 0 for good ones, `otherwise` for defects that nothing is said of. Throws std::invalid_argument on unknown or good
/// classes.
std::vector<double> recalls_of(const std::vector<std::string>& recalls,
                               const std::vector<std::string>& classes,
                               const std::vector<bool>& good, double otherwise);

}  // namespace edgeprune::commands
