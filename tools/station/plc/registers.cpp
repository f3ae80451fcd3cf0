#include "tools/station/plc/registers.h"

#include <algorithm>
#include <cmath>

namespace edgeprune::station {
namespace {

constexpr Register kCheck = 0xA5C3;
constexpr float kWhole = 10000;

Register& of(std::span<Register> registers, ResultRegister which) {
  return registers[static_cast<size_t>(which)];
}
Register of(std::span<const Register> registers, ResultRegister which) {
  return registers[static_cast<size_t>(which)];
}

Register check_of(std::span<const Register> registers) {
  Register check = kCheck;
  for (size_t i = 0; i < static_cast<size_t>(ResultRegister::check); ++i) check ^= registers[i];
  return check;
}

}  // namespace

void encode(const Result& result, std::span<Register> registers) {
  of(registers, ResultRegister::trigger) = result.id.trigger;
  of(registers, ResultRegister::epoch) = result.id.epoch;
  of(registers, ResultRegister::verdict) =
      static_cast<Register>(static_cast<int>(result.verdict) + 1);
  of(registers, ResultRegister::confidence) =
      static_cast<Register>(std::lround(std::clamp(result.confidence, 0.0f, 1.0f) * kWhole));
  of(registers, ResultRegister::check) = check_of(registers);
}

std::optional<Result> decode(std::span<const Register> registers) {
  const Register verdict = of(registers, ResultRegister::verdict);
  if (verdict == 0 || verdict > std::size(kVerdicts) ||
      of(registers, ResultRegister::check) != check_of(registers))
    return std::nullopt;
  return Result{{of(registers, ResultRegister::epoch), of(registers, ResultRegister::trigger)},
                static_cast<Verdict>(verdict - 1),
                static_cast<float>(of(registers, ResultRegister::confidence)) / kWhole};
}

bool HeartbeatWatch::alive(Register counter, Instant now) {
  if (last_ && *last_ != counter) moved_ = now;
  last_ = counter;
  return moved_ && now - *moved_ < kHeartbeat * kMissedHeartbeats;
}

}  // namespace edgeprune::station
