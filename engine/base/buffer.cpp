#include "engine/base/buffer.h"

#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace edgeprune {
namespace {

constexpr size_t kAlignment = 64;

class Pool {
 public:
  float* take(size_t bytes) {
    std::lock_guard lock(mutex_);
    stats_.bytes_in_use += bytes;
    auto& blocks = free_[bytes];
    if (!blocks.empty()) {
      float* block = blocks.back();
      blocks.pop_back();
      stats_.bytes_pooled -= bytes;
      return block;
    }
    void* block = std::aligned_alloc(kAlignment, bytes);
    if (block == nullptr) {
      release_locked();
      block = std::aligned_alloc(kAlignment, bytes);
    }
    if (block == nullptr) {
      stats_.bytes_in_use -= bytes;
      throw std::bad_alloc();
    }
    ++stats_.fresh;
    return static_cast<float*>(block);
  }

  void give(float* block, size_t bytes) {
    std::lock_guard lock(mutex_);
    free_[bytes].push_back(block);
    stats_.bytes_in_use -= bytes;
    stats_.bytes_pooled += bytes;
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
    for (auto& [bytes, blocks] : free_) {
      for (float* block : blocks) std::free(block);
    }
    free_.clear();
    stats_.bytes_pooled = 0;
  }

  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<float*>> free_;
  BufferStats stats_{};
};

Pool& pool() {
  static Pool* instance = new Pool;  // never destroyed: tensors in static storage may outlive it
  return *instance;
}

}  // namespace

std::shared_ptr<float[]> allocate_floats(size_t count) {
  if (count > (std::numeric_limits<size_t>::max() - kAlignment) / sizeof(float)) {
    throw std::bad_alloc();
  }
  const size_t wanted = (count == 0 ? 1 : count) * sizeof(float);
  const size_t bytes = (wanted + kAlignment - 1) / kAlignment * kAlignment;
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
