#include "engine/base/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "engine/base/thread_pool.h"

namespace edgeprune {
namespace {

/// What a fresh block leaves to others: oneDNN 2.6, for one, crashes where it finds no memory for
/// the code that it generates.
constexpr size_t kReserve = size_t{16} << 20;

bool reserve_is_there() {
  void* probe = mmap(nullptr, kReserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return probe != MAP_FAILED && munmap(probe, kReserve) == 0;
}

float* take_from_system(size_t bytes) {
  void* block = std::aligned_alloc(kSeparate, bytes);
  if (block != nullptr && !reserve_is_there()) {
    std::free(block);
    block = nullptr;
  }
  return static_cast<float*>(block);
}

class Pool {
 public:
  float* take(size_t bytes) {
    std::lock_guard lock(mutex_);
    stats_.bytes_in_use += bytes;
    auto& blocks = free_[key(bytes)];
    if (!blocks.empty()) {
      float* block = blocks.back();
      blocks.pop_back();
      stats_.bytes_pooled -= bytes;
      return block;
    }
    float* block = take_from_system(bytes);
    if (block == nullptr) {
      release_locked();
      block = take_from_system(bytes);
    }
    if (block == nullptr) {
      stats_.bytes_in_use -= bytes;
      throw std::bad_alloc();
    }
    ++stats_.fresh;
    return block;
  }

  /// From a destructor: must not throw.
  void give(float* block, size_t bytes) noexcept {
    std::lock_guard lock(mutex_);
    stats_.bytes_in_use -= bytes;
    try {
      free_[key(bytes)].push_back(block);
      stats_.bytes_pooled += bytes;
    } catch (const std::bad_alloc&) {
      std::free(block);
    }
  }

  void release() {
    std::lock_guard lock(mutex_);
    release_locked();
  }

  BufferStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  void release_locked() {
    for (auto& [size, blocks] : free_) {
      for (float* block : blocks) std::free(block);
    }
    free_.clear();
    stats_.bytes_pooled = 0;
  }

  std::mutex mutex_;
  /// Each thread of a parallel region has blocks of its own: with shared ones it would depend on
  /// who was faster whether a block is fresh.
  using Key = std::pair<size_t, int>;
  static Key key(size_t bytes) { return {bytes, thread_index()}; }

  std::map<Key, std::vector<float*>> free_;
  BufferStats stats_{};
};

Pool& pool() {
  static Pool* instance = new Pool;  // never destroyed: tensors in static storage may outlive it
  return *instance;
}

}  // namespace

std::shared_ptr<float[]> allocate_floats(size_t count) {
  if (count > (std::numeric_limits<size_t>::max() - kSeparate) / sizeof(float)) {
    throw std::bad_alloc();
  }
  const size_t wanted = (count == 0 ? 1 : count) * sizeof(float);
  const size_t bytes = (wanted + kSeparate - 1) / kSeparate * kSeparate;
  float* block = pool().take(bytes);
  return {block, [bytes](float* freed) { pool().give(freed, bytes); }};
}

BufferStats buffer_stats() {
  return pool().stats();
}

void release_pooled_buffers() {
  pool().release();
}

}  // namespace edgeprune
