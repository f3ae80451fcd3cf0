#include "engine/kernels/onednn/waiting.h"

#include <cstdlib>

#include "engine/base/restart.h"

namespace edgeprune::onednn {

void wait_briefly() {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  restart_with(
      {{"GOMP_SPINCOUNT", "1000"}});  // looks, each with a pause: some 20 to 50 microseconds
}

}  // namespace edgeprune::onednn
