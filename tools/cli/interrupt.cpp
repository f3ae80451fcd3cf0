#include "tools/cli/interrupt.h"

#include <atomic>

namespace edgeprune {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM};

std::atomic<bool> signalled = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not take a lock");

void on_signal(int) {
  signalled = true;
  for (const int number : kSignals) {
    struct sigaction fatal {};
    fatal.sa_handler = SIG_DFL;
    ::sigaction(number, &fatal, nullptr);
  }
}

}  // namespace

InterruptGuard::InterruptGuard() {
  signalled = false;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // libraries rarely expect their reads and writes to be cut short
  for (const int number : kSignals) ::sigaddset(&action.sa_mask, number);
  for (size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  signalled = false;
}

bool interrupted() {
  return signalled;
}

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace edgeprune
