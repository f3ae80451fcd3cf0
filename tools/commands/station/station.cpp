#include "tools/commands/commands.h"

namespace edgeprune::commands {

void add_station(CLI::App&) {}

}  // namespace edgeprune::commands
