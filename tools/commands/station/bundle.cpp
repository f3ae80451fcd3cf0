#include "tools/commands/commands.h"

namespace edgeprune::commands {

void add_bundle(CLI::App&) {}

}  // namespace edgeprune::commands
