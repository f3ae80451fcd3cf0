#include "tests/support/paths.h"

namespace edgeprune::testing {

// The one file that is told where the project lies: the others stay the same in every folder, so
// that a compiler cache serves all of them.
std::string source_folder() {
  return EDGEPRUNE_SOURCE_DIR;
}

}  // namespace edgeprune::testing
