#include "tools/commands/commands.h"

namespace edgeprune::commands {

void add_fakeplc(CLI::App&) {}

}  // namespace edgeprune::commands
