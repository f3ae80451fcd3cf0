#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "engine/base/names.h"
#include "tools/station/plc/registers.h"

namespace edgeprune::station {

/// Why an item went where it went.
enum class Outcome { passed, rejected, review, silence, contradiction, station_dead };
inline constexpr Named<Outcome> kOutcomes[] = {
    {Outcome::passed, "passed", "a fresh ok of its own"},
    {Outcome::rejected, "rejected"},
    {Outcome::review, "review"},
    {Outcome::silence, "silence", "no result in time"},
    {Outcome::contradiction, "contradiction", "two results that differ"},
    {Outcome::station_dead, "station_dead", "no result, and the station's heartbeat stood still"}};
static_assert(in_order(kOutcomes));

struct ConveyorOptions {
  double items_per_second = 10;
  double jitter = 0;  ///< of the time between items, 0 to 1: by how much it varies
  std::chrono::nanoseconds to_diverter{
      200000000};      ///< from the sensor to where an item passes or is diverted
  uint64_t items = 0;  ///< then no more come; 0: no end
  uint64_t seed = 0;
  uint16_t first_epoch = 1;
  uint16_t first_trigger = 0;
};

/// One item when it has left the belt.
struct Gone {
  uint64_t number = 0;  ///< 0, 1 ... of the belt's items
  ItemId id;
  Outcome outcome = Outcome::silence;
  std::optional<std::chrono::nanoseconds>
      to_result;  ///< from the scan that saw the item to the one that saw its result
};

/// The PLC's program and the belt it drives, on simulated scans: time is what it is told. Each item goes through a shift
/// register from the sensor to the diverter, and passes only with one ok for its own id that came before it was there.
class Conveyor {
 public:
  Conveyor(const ConveyorOptions& options, Instant start);

  /// The next item comes then.
  void let_come_from(Instant when) { next_ = when; }
  /// One scan: reads the station's registers, writes the PLC's.
  void scan(Instant now, const StationBlock& station, PlcBlock& plc);

  /// What has left the belt since it was asked last, in order.
  std::vector<Gone> take_gone();
  bool finished() const;  ///< all items came and went
  bool station_alive() const { return station_alive_; }

  // Results that were for no item on the belt, or for one that had its own already.
  uint64_t unknown_results() const { return unknown_; }
  uint64_t late_results() const { return late_; }

 private:
  struct Item {
    uint64_t number;
    ItemId id;
    Instant seen;
    std::optional<Result> result;
    bool contradicted = false;
    std::optional<std::chrono::nanoseconds> to_result;
  };
  void take_results(Instant now, const StationBlock& station);
  void take_result(Instant now, const Result& result);
  void divert(Instant now);
  void let_come(Instant now);
  Outcome outcome_of(const Item& item) const;

  const ConveyorOptions options_;
  std::mt19937_64 random_;
  Instant next_;
  uint64_t come_ = 0;
  ItemId last_;  ///< of the newest item
  std::deque<Item> belt_;
  std::deque<ItemId> diverted_;  ///< the last ones: a result for one of these is late
  std::vector<Gone> gone_;
  std::array<std::optional<Result>, kHistory>
      before_;  ///< the results of the last scan, which count once
  HeartbeatWatch heartbeat_;
  bool station_alive_ = false;
  ItemId acknowledged_;
  Instant beat_;
  Register plc_heartbeat_ = 0;
  uint64_t unknown_ = 0, late_ = 0;
};

}  // namespace edgeprune::station
