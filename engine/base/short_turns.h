#pragma once
// A thread's turns on a processor that it shares with other programs.

#include <cstdint>
#include <optional>

namespace edgeprune {

/// Asks Linux to give the calling thread its share of a busy processor in short turns. A thread
/// that asks for little at a time is let in at once when it wakes, if it has not used up its share,
/// where it would otherwise wait until the other program's turn of several milliseconds is over;
/// and threads that work together, each beside a program of its own, are at work at the same time
/// more often. The share itself stays the same, and so does an idle machine's speed. Returns
/// whether the kernel does so: Linux from 6.12 on (its scheduler EEVDF; Stoica & Abdel-Wahab 1995),
/// for threads of the normal policy.
bool take_short_turns();

/// What a thread got of what it wanted since it began, in nanoseconds.
struct Turns {
  int64_t ran;
  int64_t stopped;  ///< ready to run, while others had the processor
};

/// The calling thread's, or nothing where the kernel does not say. Allocates nothing.
std::optional<Turns> own_turns();

}  // namespace edgeprune
