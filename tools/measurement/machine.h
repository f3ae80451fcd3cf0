#pragma once

#include <string>

namespace edgeprune {

/// Where and with what a time was taken: goes into every record of one.
struct Machine {
  std::string cpu;       ///< the model: "AMD EPYC"
  int cores = 0;         ///< that this process may use
  std::string governor;  ///< of the CPU's frequency: "performance"; "unknown" in most containers
  std::string simd;      ///< the target of our own kernels: "avx512", "portable (SSE2)"
  std::string build;     ///< build_description()
  std::string commit;    ///< build_commit()
};
/// `root` is in front of /proc and /sys, for tests.
Machine this_machine(const std::string& root = "");

/// "AMD EPYC, 2 cores, avx512": the CPU's name, the cores this process may use, the SIMD target of
/// our own kernels.
std::string machine_description();
/// "RelWithDebInfo, GNU 12.2.0"
std::string compiler_description();
/// "RelWithDebInfo, GNU 12.2.0, oneDNN 2.6.3"
std::string build_description();
/// The commit this binary was built from, with "-dirty" if the tree had changes; "unknown" outside
/// a git checkout.
std::string build_commit();

}  // namespace edgeprune
