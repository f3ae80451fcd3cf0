#include "tools/experiment/machine.h"

#include <fmt/format.h>
#include <omp.h>

#include <fstream>

#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/simd/target.h"

namespace edgeprune {

std::string machine_description() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line, name = "unknown CPU";
  while (std::getline(cpuinfo, line)) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      name = line.substr(colon + 2);
      break;
    }
  }
  const int cores = core_count();
  return fmt::format("{}, {} core{}, {}", name, cores, cores == 1 ? "" : "s",
                     simd::current_target());
}

std::string build_description() {
  return fmt::format("{}, {} {}, oneDNN {}", EDGEPRUNE_BUILD_TYPE, EDGEPRUNE_COMPILER,
                     EDGEPRUNE_COMPILER_VERSION, onednn::version());
}

std::string build_commit() {
  return EDGEPRUNE_COMMIT;
}

int core_count() {
  return omp_get_num_procs();
}

}  // namespace edgeprune
