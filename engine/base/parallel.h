#pragma once
// Work on several threads. How many is a setting of the calling thread: the tools set it once, the
// kernels obey it.

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

#include "engine/base/thread_pool.h"

namespace edgeprune {

/// The number of threads in force: at first $OMP_NUM_THREADS, or else usable_cores() (cores.h).
int thread_count();

/// Sets the number of threads for as long as it lives, then restores the old one.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

/// Calls body(piece) for 0 <= piece < pieces on the pool's threads, for which the caller's number
/// of threads is in force then. Throws what the first of the pieces that threw did, once all have
/// ended.
template <typename Body>
void for_each_piece(int pieces, int threads, const Body& body) {
  struct Context {
    const Body& body;
    int threads_in_force;
    std::mutex mutex;
    int failed = INT32_MAX;  ///< the first piece that threw: `failure`
    std::exception_ptr failure;
  } context{body, thread_count(), {}, INT32_MAX, {}};
  const auto run = [](void* untyped, int piece) {
    auto& shared = *static_cast<Context*>(untyped);
    const ThreadScope scope(shared.threads_in_force);
    try {
      shared.body(piece);
    } catch (...) {
      const std::lock_guard lock(shared.mutex);
      if (piece > shared.failed) return;
      shared.failed = piece;
      shared.failure = std::current_exception();
    }
  };
  run_pieces({run, &context, pieces}, threads);
  if (context.failure) std::rethrow_exception(context.failure);
}

/// Calls body(begin, end, part) for consecutive pieces of [0, count), at most one piece a thread
/// and none smaller than `grain` unless there is only one. The pieces depend on nothing but count,
/// grain and thread_count(): sums taken per part repeat bit for bit. Returns the number of parts;
/// throws what a part threw, once all have ended.
template <typename Body>
int parallel_for(int64_t count, int64_t grain, const Body& body) {
  if (count <= 0) return 0;
  const int64_t most = std::max<int64_t>(1, count / grain);
  const int parts = static_cast<int>(std::clamp<int64_t>(thread_count(), 1, most));
  if (parts == 1) {
    body(int64_t{0}, count, 0);
    return 1;
  }
  for_each_piece(parts, parts,
                 [&](int part) { body(count * part / parts, count * (part + 1) / parts, part); });
  return parts;
}

/// Consecutive pieces of [0, count) for long work on threads of unequal speed: a core that shares
/// its arithmetic or its memory with other programs is easily a fifth slower for a while. Three
/// quarters are dealt out at once, a large piece a thread; half of what is left, again and again,
/// in smaller ones, which fill up the end (after factoring: Hummel, Schonberg & Flynn 1992). They
/// depend on nothing but count, smallest and thread_count(). One thread has one piece.
class Pieces {
 public:
  /// All sizes but the last are multiples of `smallest`.
  Pieces(int64_t count, int64_t smallest) {
    constexpr int64_t kFinest = 32;  // of a thread's share
    const int64_t threads = thread_count();
    const int64_t least = std::max<int64_t>(1, count / (kFinest * threads * smallest)) * smallest;
    int64_t begin = 0, size = count * 3 / (4 * threads);
    if (threads == 1) size = count;
    while (begin < count) {
      size = std::max(least, size / smallest * smallest);
      for (int64_t t = 0; t < threads && begin < count; ++t, begin += size) {
        ends_.push_back(std::min(count, begin + size));
      }
      size = (count - begin) / (2 * threads);
    }
  }
  int count() const { return static_cast<int>(ends_.size()); }
  int64_t begin(int piece) const { return piece == 0 ? 0 : ends_[static_cast<size_t>(piece) - 1]; }
  int64_t end(int piece) const { return ends_[static_cast<size_t>(piece)]; }

 private:
  std::vector<int64_t> ends_;
};

/// Calls body(begin, end, piece) for every piece: the first ones on a thread each, unless one is
/// late, the others on whichever is free. Sums taken per piece and added up in their order repeat
/// bit for bit. Throws what a piece threw, once all have ended.
template <typename Body>
void parallel_for(const Pieces& pieces, const Body& body) {
  for_each_piece(pieces.count(), thread_count(),
                 [&](int piece) { body(pieces.begin(piece), pieces.end(piece), piece); });
}

}  // namespace edgeprune
