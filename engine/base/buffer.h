#pragma once
// Float memory, recycled.

#include <cstddef>
#include <memory>

namespace edgeprune {

/// Bytes: a cache line and its neighbour, which some processors fetch along with it. What threads
/// write at the same time, each its own, must lie that far apart, or every write takes the line
/// away from the other's core (false sharing).
inline constexpr size_t kSeparate = 128;

/// An uninitialised block of `count` floats, shared by its holders, that starts and ends at
/// multiples of kSeparate. Freed blocks go to a pool and are handed out again for requests of the
/// same size: a training step asks for the same sizes over and over, and a fresh 50 MB block costs
/// more in page faults than the kernel that fills it. Throws std::bad_alloc when memory does not
/// suffice (after giving the pool back), or would leave next to nothing for others.
std::shared_ptr<float[]> allocate_floats(size_t count);

/// Numbers since the program started; steady-state training should leave `fresh` unchanged.
struct BufferStats {
  size_t fresh;         ///< blocks taken from the system
  size_t bytes_in_use;  ///< held by somebody now
  size_t bytes_pooled;  ///< waiting in the pool
};
BufferStats buffer_stats();

/// Returns the pool's blocks to the system.
void release_pooled_buffers();

}  // namespace edgeprune
