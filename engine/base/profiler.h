#pragma once
// Where a training step's time goes, by family of operations.

#include <map>
#include <string>
#include <utility>

#include "engine/base/names.h"
#include "engine/base/timer.h"

namespace edgeprune {

enum class Phase { forward, backward };
inline constexpr Named<Phase> kPhases[] = {{Phase::forward, "forward"},
                                           {Phase::backward, "backward"}};
static_assert(in_order(kPhases));

/// What an operation is made of: arithmetic, and the memory it must at least move (each operand
/// once).
struct Cost {
  double flops = 0;
  double bytes = 0;
};

/// Adds up the operations of the thread that it is active on (ProfilerScope).
class Profiler {
 public:
  struct Entry {
    double seconds = 0;
    int64_t calls = 0;
    Cost cost;
  };
  void add(const std::string& family, Phase phase, double seconds, const Cost& cost);
  const std::map<std::pair<std::string, Phase>, Entry>& entries() const { return entries_; }
  void clear() { entries_.clear(); }

 private:
  std::map<std::pair<std::string, Phase>, Entry> entries_;
};

/// While it lives, operations on this thread report to the profiler.
class ProfilerScope {
 public:
  explicit ProfilerScope(Profiler& profiler);
  ~ProfilerScope();
  ProfilerScope(const ProfilerScope&) = delete;
  ProfilerScope& operator=(const ProfilerScope&) = delete;

 private:
  Profiler* before_;
};

/// One operation, from construction to destruction, without the operations that it calls itself.
/// Costs two clock readings when a profiler is active, else a branch.
class Timed {
 public:
  Timed(const char* family, Phase phase, Cost cost);
  ~Timed();
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  Profiler* profiler_;
  const char* family_;
  Phase phase_;
  Cost cost_;
  Timed* outer_ = nullptr;
  double inside_ = 0;  ///< seconds of the operations called
  Stopwatch watch_;
};

}  // namespace edgeprune
