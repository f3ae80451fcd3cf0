#pragma once
// Ctrl-C: the work notices, leaves its files whole, and stops.

#include <signal.h>

#include <array>
#include <stdexcept>

namespace edgeprune {

/// Thrown by work that stopped because of a signal; main() turns it into exit code 130.
struct Interrupted : std::runtime_error {
  using std::runtime_error::runtime_error;
  Interrupted() : std::runtime_error("interrupted") {}
};

/// While it lives, the first SIGINT or SIGTERM only sets the flag that interrupted() reads; the
/// next one of either kills the process as if nobody had been listening. A signal that was ignored
/// (a background job's Ctrl-C) stays ignored. At most one at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  std::array<struct sigaction, 2> before_;
};

/// Whether a signal came while the guard lives. Cheap, and callable from any thread.
bool interrupted();

/// Throws Interrupted if interrupted().
void throw_if_interrupted();

}  // namespace edgeprune
