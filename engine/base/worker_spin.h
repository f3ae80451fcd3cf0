#pragma once
// How long a thread of the pool (thread_pool.h) spins for work before it sleeps.
//
// The gaps between the layers of a network are a few microseconds; in a step of training every
// tenth is 20 to 80. On an idle machine a thread that sleeps in a gap loses the microseconds of its
// waking. Beside other programs it depends on where these are:
//
// - On the processors of the pool's threads, with the caller's own left to it: what a thread spins
//   is taken from its share, and makes it look so busy that Linux moves the other program to the
//   caller's processor. It spins shortly.
// - On the caller's processor, too: Linux stops the caller at one tick of the clock and lets it go
//   on at the next, 4 ms later. A thread that is at work when the caller is keeps its processor
//   until a tick, too, which on all processors is the same. One that sleeps in a gap leaves it to
//   the other program and, since sleep earns no share, may not have it back at once: it was at work
//   for half of the caller's time. It spins for longer than the gaps, but not for as long as the
//   caller is stopped.

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "engine/base/short_turns.h"

namespace edgeprune {

/// Chooses between two spins by what the thread that gives the work to the pool went through.
class WorkerSpin {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kShort{20};
  static constexpr std::chrono::microseconds kLong{100};
  /// The caller is asked so often. Its account is read from a file, which takes microseconds.
  static constexpr std::chrono::milliseconds kEvery{100};
  /// How much of the time in which it wanted to run the caller was stopped for others, if the spin
  /// is to be long. Beside a busy program on each processor it is a half. With one processor left
  /// to the pool it was 0.06 with the short spin and 0.16 with the long one: the choice does not
  /// keep itself up.
  static constexpr double kStopped = 0.4;

  /// Whether the caller's account is wanted.
  bool is_due(Clock::time_point now) const { return !asked_ || now - *asked_ >= kEvery; }

  /// The spin after this account of the caller's turns, which may be missing.
  std::chrono::microseconds choose(Clock::time_point now, const std::optional<Turns>& turns) {
    asked_ = now;
    const std::optional<Turns> before = std::exchange(turns_, turns);
    if (!turns || !before) return kShort;
    const auto stopped = static_cast<double>(turns->stopped - before->stopped);
    const auto ran = static_cast<double>(turns->ran - before->ran);
    return stopped > kStopped * (stopped + ran) ? kLong : kShort;
  }

 private:
  std::optional<Clock::time_point> asked_;
  std::optional<Turns> turns_;
};

}  // namespace edgeprune
