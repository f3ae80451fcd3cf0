#include "engine/base/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "engine/base/parallel.h"

namespace edgeprune {
namespace {

/// What a fresh block leaves to others: oneDNN 2.6, for one, crashes where it finds no memory for
/// the code that it generates.
constexpr size_t kReserve = size_t{16} << 20;

bool reserve_is_there() {
  void* probe = mmap(nullptr, kReserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return probe != MAP_FAILED && munmap(probe, kReserve) == 0;
}

/// Pages of 4 KB are too many for the processor's table of them (TLB) where kernels stream through
/// tensors of megabytes: training on 224x224 images takes a tenth longer with them.
constexpr size_t kHugePage = size_t{2} << 20;

float* take_from_system(size_t bytes) {
  const bool large = bytes >= kHugePage;
  void* block = nullptr;  // not by aligned_alloc, which wants whole multiples of the alignment
  if (posix_memalign(&block, large ? kHugePage : kSeparate, bytes) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  if (large) madvise(block, bytes, MADV_HUGEPAGE);  // a wish: refused at worst
#endif
  if (!reserve_is_there()) {
    std::free(block);
    block = nullptr;
  }
  return static_cast<float*>(block);
}

class Pool {
 public:
  float* take(size_t bytes) {
    std::lock_guard lock(mutex_);
    float* block = take_pooled({bytes, owner()});
    if (block == nullptr) {
      // Which threads get pieces depends on who was faster: what one needs for the first time, the
      // others may need at any later time, so they get theirs now.
      for (int i = 0; is_within_a_piece() && i < thread_count(); ++i) {
        if (i != thread_index()) put_away(take_fresh(bytes), {bytes, i});
      }
      block = take_fresh(bytes);
    }
    stats_.bytes_in_use += bytes;
    return block;
  }

  /// From a destructor: must not throw.
  void give(float* block, size_t bytes) noexcept {
    std::lock_guard lock(mutex_);
    stats_.bytes_in_use -= bytes;
    put_away(block, {bytes, owner()});
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
  /// The size in bytes, and the owner: within pieces the thread, whose caches may still hold the
  /// block; elsewhere nobody.
  using Key = std::pair<size_t, int>;
  static int owner() { return is_within_a_piece() ? thread_index() : -1; }

  /// Null if there is none.
  float* take_pooled(const Key& key) {
    const auto found = free_.find(key);
    if (found == free_.end() || found->second.empty()) return nullptr;
    float* block = found->second.back();
    found->second.pop_back();
    stats_.bytes_pooled -= key.first;
    return block;
  }

  float* take_fresh(size_t bytes) {
    float* block = take_from_system(bytes);
    if (block == nullptr) {
      release_locked();
      block = take_from_system(bytes);
    }
    if (block == nullptr) throw std::bad_alloc();
    ++stats_.fresh;
    return block;
  }

  void put_away(float* block, const Key& key) noexcept {
    try {
      free_[key].push_back(block);
      stats_.bytes_pooled += key.first;
    } catch (const std::bad_alloc&) {
      std::free(block);
    }
  }

  void release_locked() {
    for (auto& [key, blocks] : free_) {
      for (float* block : blocks) std::free(block);
    }
    free_.clear();
    stats_.bytes_pooled = 0;
  }

  std::mutex mutex_;
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
