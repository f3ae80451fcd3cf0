#include "tools/commands/commands.h"

namespace edgeprune::commands {

void add_calibrate(CLI::App&) {}

}  // namespace edgeprune::commands
