#pragma once
// The processors that this process may use, and where its threads run.

#include <span>
#include <string>
#include <vector>

namespace edgeprune {

/// The processors of the calling thread's affinity mask (taskset, cpusets), in ascending order.
std::vector<int> affinity_mask();

/// The mask that the program was started with: its threads may since have been bound.
const std::vector<int>& usable_processors();
/// For a program whose first thread a library has bound before that was looked at. Ascending.
void set_usable_processors(std::vector<int> processors);

/// Their number, but no more than the CPU quota of the process's cgroup and those around it,
/// rounded up, allows (`docker run --cpus 1.5`: 2): threads beyond a quota only use it up sooner
/// and are all stopped for the rest of each period. At least 1. `root` stands before /proc and /sys
/// (for tests).
int usable_cores(const std::string& root = "");

/// Lets the calling thread run on these processors alone. Returns 0, or the system's error number.
int bind_to(std::span<const int> processors);

/// Moves the calling thread to a processor that is not in `taken`, if its affinity mask has one.
/// The mask stays as it was: the system may move the thread again. Allocates nothing.
void leave_processors(std::span<const int> taken);

}  // namespace edgeprune
