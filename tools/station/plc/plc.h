#pragma once
// What a PLC asks and is told.

#include <cstdint>
#include <functional>
#include <optional>

#include "tools/station/item.h"

namespace edgeprune::station {

/// The station's state as the PLC sees it, by the names of OPC 40100-1 (machine vision); its numbers are
/// those of the register. Compliance is not claimed.
enum class State { preoperational, halted, error, initialized, ready, executing };
inline constexpr Named<State> kStates[] = {{State::preoperational, "Preoperational"},
                                           {State::halted, "Halted"},
                                           {State::error, "Error"},
                                           {State::initialized, "Initialized"},
                                           {State::ready, "Ready"},
                                           {State::executing, "Executing"}};
static_assert(in_order(kStates));

/// The PLC saw an item.
struct Trigger {
  ItemId id;
  Instant seen;  ///< by the station
};

/// What the station tells it.
struct Answer {
  ItemId id;
  Verdict verdict = Verdict::review;
  float confidence = 0;  ///< 0 to 1
  Instant
      deadline;  ///< an answer that cannot be written before is dropped and counted: late is never told
};

struct PlcCounts {
  uint64_t triggers = 0;  ///< seen
  uint64_t missed = 0;    ///< numbers that the PLC counted and the station never saw
  uint64_t overruns = 0;  ///< a trigger came while the station was not ready for another
  uint64_t answers = 0;   ///< confirmed
  uint64_t late = 0;      ///< dropped after their deadline
  uint64_t reconnects = 0;
  uint64_t lost_heartbeats = 0;  ///< times the PLC's counter stood still for too long
};

/// A connection to a PLC with a thread of its own; its functions may be called from any thread.
class Plc {
 public:
  virtual ~Plc() = default;
  /// The next trigger, or nothing until `deadline`.
  virtual std::optional<Trigger> next(Instant deadline) = 0;
  /// To be called once for every trigger, at once if it is too late: returns at once. `answered` is called on the connection's thread, once: with the time when the PLC
  /// confirmed the answer, or nothing if it was dropped.
  virtual void answer(const Answer& answer,
                      std::function<void(std::optional<Instant>)> answered) = 0;
  virtual void set_state(State state) = 0;
  virtual bool connected() const = 0;
  virtual PlcCounts counts() const = 0;
};

}  // namespace edgeprune::station
