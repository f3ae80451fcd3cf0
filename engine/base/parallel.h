#pragma once
// Threads by OpenMP. The thread count is OpenMP's own per-thread setting: the tools set it once,
// the kernels obey it.

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <vector>

namespace edgeprune {

inline int thread_count() {
  return omp_get_max_threads();
}

/// Sets the number of threads for as long as it lives, then restores the old one.
class ThreadScope {
 public:
  explicit ThreadScope(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ~ThreadScope() { omp_set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

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
  std::exception_ptr failure;  // an exception that left OpenMP's region would end the process
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) {
    try {
      body(count * part / parts, count * (part + 1) / parts, part);
    } catch (...) {
#pragma omp critical
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
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

/// Calls body(begin, end, piece) for every piece: the first ones on a thread each, the others on
/// whichever is free. Sums taken per piece and added up in their order repeat bit for bit. Throws
/// what a piece threw, once all have ended.
template <typename Body>
void parallel_for(const Pieces& pieces, const Body& body) {
  const int count = pieces.count(), threads = std::min(thread_count(), count);
  if (count == 0) return;
  std::exception_ptr failure;
  const auto run = [&](int piece) {
    try {
      body(pieces.begin(piece), pieces.end(piece), piece);
    } catch (...) {
#pragma omp critical
      failure = std::current_exception();
    }
  };
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
#pragma omp for schedule(static, 1) nowait
    for (int piece = 0; piece < threads; ++piece) run(piece);
#pragma omp for schedule(dynamic, 1) nowait
    for (int piece = threads; piece < count; ++piece) run(piece);
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace edgeprune
