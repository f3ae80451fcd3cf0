#include "tools/measurement/pinning.h"

#include <fmt/ranges.h>
#include <omp.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace edgeprune {
namespace {

constexpr const char* kBind = "OMP_PROC_BIND";
constexpr const char* kPolicy = "close";  // the first thread on the first core, and so on

bool bound() {
  return omp_get_proc_bind() != omp_proc_bind_false && omp_get_num_places() > 0;
}

/// The arguments that this program was started with, as execv() takes them.
std::vector<char*> arguments(std::vector<char>& text) {
  std::vector<char*> result;
  for (size_t at = 0; at < text.size(); at += std::strlen(&text[at]) + 1) {
    result.push_back(&text[at]);
  }
  result.push_back(nullptr);
  return result;
}

/// /proc says that its files are empty, so read_file() would return nothing.
std::vector<char> command_line() {
  std::vector<char> text;
  if (std::FILE* file = std::fopen("/proc/self/cmdline", "r")) {
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text.push_back(char(c));
    std::fclose(file);
  }
  return text;
}

}  // namespace

void pin_threads() {
  if (bound()) return;
  const char* before = std::getenv(kBind);
  const bool tried = before != nullptr && std::string(before) == kPolicy;
  std::vector<char> text = command_line();
  if (!tried && !text.empty()) {
    ::setenv(kBind, kPolicy, 1);
    ::setenv("OMP_PLACES", "cores", 1);
    ::unsetenv("GOMP_CPU_AFFINITY");
    ::execv("/proc/self/exe", arguments(text).data());
  }
  throw std::runtime_error("[pin] the OpenMP runtime does not bind threads to cores here");
}

std::string pinned_cores(int threads) {
  if (!bound()) return "none";
  std::vector<std::string> cores;
  for (int thread = 0; thread < threads; ++thread) {
    const int place = thread % omp_get_num_places();
    std::vector<int> ids(static_cast<size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, ids.data());
    cores.push_back(fmt::format("{}", fmt::join(ids, "+")));  // more than one: SMT siblings
  }
  return fmt::format("{}", fmt::join(cores, ","));
}

}  // namespace edgeprune
