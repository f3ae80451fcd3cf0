#include "engine/base/parallel.h"

#include <cstdlib>

#include "engine/base/cores.h"

namespace edgeprune {
namespace {

int default_threads() {
  const char* wish = std::getenv("OMP_NUM_THREADS");
  const int threads = wish == nullptr ? 0 : std::atoi(wish);
  return threads > 0 ? threads : usable_cores();
}

thread_local int threads_in_force = 0;  ///< 0: nobody has set them

}  // namespace

int thread_count() {
  static const int at_first = default_threads();
  return threads_in_force > 0 ? threads_in_force : at_first;
}

ThreadScope::ThreadScope(int threads) : before_(threads_in_force) {
  threads_in_force = std::max(1, threads);
}

ThreadScope::~ThreadScope() {
  threads_in_force = before_;
}

}  // namespace edgeprune
