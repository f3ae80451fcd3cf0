#include "engine/base/short_turns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace edgeprune {
namespace {

constexpr uint64_t kTurn = 100'000;  // nanoseconds: the least that the kernel grants

/// As sched_setattr(2) has it. glibc knows it and the two calls only from 2.41 on.
struct Attributes {
  uint32_t size = sizeof(Attributes), policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;
};

bool get(Attributes& attributes) {
  return ::syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0;
}

bool set(const Attributes& attributes) {
  return ::syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

}  // namespace

bool take_short_turns() {
  Attributes attributes;
  if (!get(attributes) || attributes.policy != SCHED_OTHER) return false;
  attributes.runtime = kTurn;
  return set(attributes) && get(attributes) && attributes.runtime == kTurn;
}

std::optional<Turns> own_turns() {
  const int file = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 80> line;  // two times and a count, with a space between
  const ssize_t length = ::read(file, line.data(), line.size());
  ::close(file);
  const char* const end = line.data() + std::max<ssize_t>(0, length);
  Turns turns{};
  const auto ran = std::from_chars(line.data(), end, turns.ran);
  if (ran.ec != std::errc() || ran.ptr == end) return std::nullopt;
  const auto stopped = std::from_chars(ran.ptr + 1, end, turns.stopped);
  if (stopped.ec != std::errc()) return std::nullopt;
  return turns;
}

}  // namespace edgeprune
