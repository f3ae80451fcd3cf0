#include "engine/kernels/onednn/waiting.h"

#include <cstdlib>

#include "engine/base/restart.h"

namespace edgeprune::onednn {

void wait_briefly() {
  for (const char* name : kWaitingDecided) {
    if (std::getenv(name) != nullptr) return;
  }
  restart_with({kWaitBriefly});
}

}  // namespace edgeprune::onednn
