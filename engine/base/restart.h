#pragma once
// Settings that a library reads from the environment before main() begins.

#include <string>
#include <vector>

namespace edgeprune {

/// Starts the program anew, in the same process and with the same arguments, with these environment
/// variables ("NAME=value") set as well. To be called before anything else was done. Returns, with the variables
/// set for programs started later, if they were as wanted already, or if the system does not let
/// a program start itself (no /proc).
void restart_with(const std::vector<std::string>& variables);

}  // namespace edgeprune
