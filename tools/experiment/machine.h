#pragma once

#include <string>

namespace edgeprune {

/// "AMD EPYC, 2 cores, avx512": the CPU's name, the cores this process may use, the SIMD target of
/// our own kernels.
std::string machine_description();
/// "RelWithDebInfo, GCC 12.2.0, oneDNN 2.6.3"
std::string build_description();
/// The commit this binary was built from, with "-dirty" if the tree had changes; "unknown" outside
/// a git checkout.
std::string build_commit();
/// Cores this process may use.
int core_count();

}  // namespace edgeprune
