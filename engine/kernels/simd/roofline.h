#pragma once
// What this machine can do at most, measured: the limits that a profile is held against (Williams
// et al. 2009, "Roofline").

#include <cstdint>

namespace edgeprune::simd {

/// Fused multiply-adds on registers, all threads in force together: GFLOP/s.
double peak_gflops();

/// Memory bandwidth of all threads in force: GB/s read and written by b = a + b over arrays far
/// larger than the caches.
double memory_bandwidth();

/// The same over arrays of so many bytes a thread together, again and again: of a cache, if they
/// fit there.
double cache_bandwidth(int64_t bytes);

}  // namespace edgeprune::simd
