#pragma once
// Threads by OpenMP. The thread count is OpenMP's own per-thread setting: the tools set it once,
// the kernels obey it.

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>

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

}  // namespace edgeprune
