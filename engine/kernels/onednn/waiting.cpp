#include "engine/kernels/onednn/waiting.h"

#include <cstdlib>

#include "engine/base/restart.h"

namespace edgeprune::onednn {

void wait_briefly() {
  // Threads bound to places: the program started anew would have the first one's place alone.
  for (const char* name :
       {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"}) {
    if (std::getenv(name) != nullptr) return;
  }
  restart_with(
      {{"GOMP_SPINCOUNT", "1000"}});  // looks, each with a pause: some 20 to 50 microseconds
}

}  // namespace edgeprune::onednn
