#include "tools/measurement/pinning.h"

#include <fmt/ranges.h>
#include <omp.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <stdexcept>
#include <vector>

#include "engine/base/cores.h"
#include "engine/base/restart.h"
#include "engine/base/thread_pool.h"

namespace edgeprune {
namespace {

/// The processors of each of OpenMP's places: one, or several where cores have SMT siblings.
std::vector<std::vector<int>>& pinned_places() {
  static std::vector<std::vector<int>> places;  // empty: threads are free
  return places;
}

bool openmp_binds() {
  return omp_get_proc_bind() != omp_proc_bind_false && omp_get_num_places() > 0;
}

}  // namespace

void adopt_openmp_places() {
  if (!openmp_binds()) return;
  std::vector<std::vector<int>> places;
  std::set<int> all;
  for (int place = 0; place < omp_get_num_places(); ++place) {
    auto& ids = places.emplace_back(static_cast<size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, ids.data());
    all.insert(ids.begin(), ids.end());
  }
  set_usable_processors({all.begin(), all.end()});
  bind_threads(places);
  pinned_places() = std::move(places);
}

void pin_threads() {
  if (openmp_binds()) return;  // and so do ours
  ::unsetenv("GOMP_CPU_AFFINITY");
  // "close": the first thread on the first core, and so on.
  restart_with({"OMP_PROC_BIND=close", "OMP_PLACES=cores"});
  throw std::runtime_error("[pin] the OpenMP runtime does not bind threads to cores here");
}

std::string pinned_cores(int threads) {
  const auto& places = pinned_places();
  if (places.empty()) return "none";
  std::vector<std::string> cores;
  for (int thread = 0; thread < threads; ++thread) {
    const auto& ids = places[static_cast<size_t>(thread) % places.size()];
    cores.push_back(fmt::format("{}", fmt::join(ids, "+")));
  }
  return fmt::format("{}", fmt::join(cores, ","));
}

}  // namespace edgeprune
