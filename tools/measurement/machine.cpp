#include "tools/measurement/machine.h"

#include <fmt/format.h>

#include <fstream>

#include "engine/base/cores.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/simd/target.h"
#include "tools/measurement/cpu_name.h"

namespace edgeprune {

namespace {

std::string cpu_model(const std::string& root) {
  std::ifstream cpuinfo(root + "/proc/cpuinfo");
  return cpu_name(cpuinfo);
}

std::string frequency_governor(const std::string& root) {
  std::ifstream file(root + "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  std::string name;
  return file >> name ? name : "unknown";
}

}  // namespace

Machine this_machine(const std::string& root) {
  return {.cpu = cpu_model(root),
          .cores = usable_cores(),
          .governor = frequency_governor(root),
          .simd = simd::target_description(),
          .build = build_description(),
          .commit = build_commit()};
}

std::string machine_description() {
  const Machine machine = this_machine();
  return fmt::format("{}, {} core{}, {}", machine.cpu, machine.cores, machine.cores == 1 ? "" : "s",
                     machine.simd);
}

std::string compiler_description() {
  return fmt::format("{}, {} {}", EDGEPRUNE_BUILD_TYPE, EDGEPRUNE_COMPILER,
                     EDGEPRUNE_COMPILER_VERSION);
}

std::string build_description() {
  return fmt::format("{}, oneDNN {}", compiler_description(), onednn::version());
}

std::string build_commit() {
  return EDGEPRUNE_COMMIT;
}

}  // namespace edgeprune
