#pragma once
// Which instruction set the kernels of this folder run on: the best this CPU has, unless pinned.

#include <cstdint>
#include <string>
#include <vector>

namespace edgeprune::simd {

/// The targets built in that this CPU can run, best first: "avx512", "avx2", "portable" on x86,
/// "neon" on ARM.
std::vector<std::string> available_targets();
/// All that are built in, whether this CPU can run them or not.
std::vector<std::string> compiled_targets();

/// The target in use.
std::string current_target();

/// The same, and what "portable" stands for with the Highway this was built with: "portable (SSE2)",
/// "portable (scalar)" or, by clang, "portable (emulated vectors)".
std::string target_description();

/// The length of its vectors: 64 with AVX-512. One float or less for scalar code.
int64_t vector_bytes();

/// Uses that target from now on; "" means the best one. Throws std::invalid_argument listing the
/// choices if this CPU or build lacks it. Not to be called while kernels run.
void pin_target(const std::string& name);

/// pin_target($EDGEPRUNE_SIMD), where set.
void pin_target_from_environment();

}  // namespace edgeprune::simd
