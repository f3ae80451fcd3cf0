#pragma once

#include <string>

namespace edgeprune::packaging {

/// What a report of a fault should say of the program: version, commit, compiler, libraries and
/// instruction sets, a line each.
std::string version_text(const std::string& version);

}  // namespace edgeprune::packaging
