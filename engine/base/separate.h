#pragma once
// Memory that threads write at the same time, each its own: no two of them may share a cache line,
// or every write takes the line away from the other's core (false sharing).

#include <cstddef>
#include <new>
#include <vector>

namespace edgeprune {

/// Bytes: a cache line and its neighbour, which some processors fetch along with it.
inline constexpr size_t kSeparate = 128;

template <typename T>
struct SeparateAllocator {
  using value_type = T;
  SeparateAllocator() = default;
  template <typename Other>
  SeparateAllocator(const SeparateAllocator<Other>&) {}

  T* allocate(size_t count) {
    const size_t bytes = (count * sizeof(T) + kSeparate - 1) / kSeparate * kSeparate;
    return static_cast<T*>(::operator new (bytes, std::align_val_t{kSeparate}));
  }
  void deallocate(T* block, size_t) { ::operator delete (block, std::align_val_t{kSeparate}); }
  bool operator==(const SeparateAllocator&) const = default;
};

/// A vector whose elements share no cache line with anything else.
template <typename T>
using SeparateVector = std::vector<T, SeparateAllocator<T>>;

}  // namespace edgeprune
