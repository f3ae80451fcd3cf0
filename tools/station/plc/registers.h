#pragma once
// The registers that station and PLC share: Modbus holding registers of 16 bits, at the PLC, which is the server.
//
// One transaction (function 23, read/write multiple registers) does it all: the station writes its block and reads the
// PLC's. Modbus has the write happen first, and most PLCs take a transaction as one between two scans; one that does
// not may see half of a write. So each result carries a check word over all of it, and a result whose check is wrong is
// none. What one write adds stays readable for eight results, for a PLC that scans more slowly than the station writes.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/names.h"
#include "tools/station/item.h"
#include "tools/station/plc/plc.h"

namespace edgeprune::station {

using Register = uint16_t;

/// What the PLC writes, from address 0 on.
enum class PlcRegister { trigger, epoch, ack_trigger, ack_epoch, heartbeat };
inline constexpr Named<PlcRegister> kPlcRegisters[] = {
    {PlcRegister::trigger, "TriggerId",
     "the newest item's number; behind 65535 comes 0 of the next epoch"},
    {PlcRegister::epoch, "TriggerEpoch",
     "one more for each round of the number and each restart of the PLC"},
    {PlcRegister::ack_trigger, "ResultAckId", "the newest result that the PLC took"},
    {PlcRegister::ack_epoch, "ResultAckEpoch", "its epoch"},
    {PlcRegister::heartbeat, "PlcHeartbeat", "counts on every 50 ms at least"}};
static_assert(in_order(kPlcRegisters));

/// What the station writes, from address 100 on; behind it eight results, the newest first.
enum class StationRegister { heartbeat, state, busy, missed, overruns };
inline constexpr Named<StationRegister> kStationRegisters[] = {
    {StationRegister::heartbeat, "StationHeartbeat", "counts on in every transaction"},
    {StationRegister::state, "State",
     "0 Preoperational, 1 Halted, 2 Error, 3 Initialized, 4 Ready, 5 Executing"},
    {StationRegister::busy, "Busy", "items that are being judged"},
    {StationRegister::missed, "MissedTriggers", "numbers that the station never saw, modulo 65536"},
    {StationRegister::overruns, "Overruns", "triggers while it could take no more, modulo 65536"}};
static_assert(in_order(kStationRegisters));

enum class ResultRegister { trigger, epoch, verdict, confidence, check };
inline constexpr Named<ResultRegister> kResultRegisters[] = {
    {ResultRegister::trigger, "ResultId", "the item's number"},
    {ResultRegister::epoch, "ResultEpoch", "its epoch"},
    {ResultRegister::verdict, "Verdict", "0 none, 1 ok, 2 reject, 3 review"},
    {ResultRegister::confidence, "Confidence", "of ten thousand"},
    {ResultRegister::check, "Check",
     "the four before and 0xA5C3, exclusive or: otherwise it is no result"}};
static_assert(in_order(kResultRegisters));

inline constexpr int kPlcBlock = 0, kStationBlock = 100;
inline constexpr int kPlcBlockSize = std::size(kPlcRegisters);
inline constexpr int kHistory = 8;
inline constexpr int kResultSize = std::size(kResultRegisters);
inline constexpr int kStationBlockSize = std::size(kStationRegisters) + kHistory * kResultSize;
static_assert(kPlcBlockSize <= 125 && kStationBlockSize <= 121, "what one transaction carries");

using PlcBlock = std::array<Register, kPlcBlockSize>;
using StationBlock = std::array<Register, kStationBlockSize>;

inline Register& at(PlcBlock& block, PlcRegister which) {
  return block[static_cast<size_t>(which)];
}
inline Register at(const PlcBlock& block, PlcRegister which) {
  return block[static_cast<size_t>(which)];
}
inline Register& at(StationBlock& block, StationRegister which) {
  return block[static_cast<size_t>(which)];
}
inline Register at(const StationBlock& block, StationRegister which) {
  return block[static_cast<size_t>(which)];
}

struct Result {
  ItemId id;
  Verdict verdict = Verdict::review;
  float confidence = 0;
};

/// The registers of result `index` of a station's block, 0 the newest.
inline std::span<Register> result_registers(StationBlock& block, int index) {
  return std::span(block).subspan(
      std::size(kStationRegisters) + static_cast<size_t>(index) * kResultSize, kResultSize);
}
void encode(const Result& result, std::span<Register> registers);
/// Nothing if there is none, or half of one.
std::optional<Result> decode(std::span<const Register> registers);

/// Heartbeats are looked for this often, and so many missed ones in a row are the peer's death.
inline constexpr auto kHeartbeat = std::chrono::milliseconds(50);
inline constexpr int kMissedHeartbeats = 3;

/// Whether a counter still counts.
class HeartbeatWatch {
 public:
  /// True while the counter moved within the last 150 ms; at first false until it has moved.
  bool alive(Register counter, Instant now);

 private:
  std::optional<Register> last_;
  std::optional<Instant> moved_;
};

}  // namespace edgeprune::station
