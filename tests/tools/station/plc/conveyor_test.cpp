#include "tools/station/plc/conveyor.h"

#include <gtest/gtest.h>

#include <map>

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

/// A belt with one item every 100 ms, 50 ms from sensor to diverter, scanned every millisecond; `station` writes what it likes
/// before each scan.
struct Belt {
  ConveyorOptions options;
  StationBlock station{};
  PlcBlock plc{};
  std::vector<Gone> gone;
  uint64_t unknown = 0, late = 0;

  explicit Belt(uint64_t items) {
    options.items = items;
    options.to_diverter = 50ms;
  }

  template <typename Program>
  void run(const Program& program) {
    const Instant start;
    Conveyor conveyor(options, start);
    for (auto time = 0ms; !conveyor.finished(); time += 1ms) {
      ASSERT_LT(time, 60s);
      program(time);
      conveyor.scan(start + time, station, plc);
      for (const Gone& one : conveyor.take_gone()) gone.push_back(one);
    }
    unknown = conveyor.unknown_results();
    late = conveyor.late_results();
  }

  ItemId newest() const { return {at(plc, PlcRegister::epoch), at(plc, PlcRegister::trigger)}; }
  void beat() { ++at(station, StationRegister::heartbeat); }
  void tell(ItemId id, Verdict verdict, int place = 0) {
    encode({id, verdict, 0.9f}, result_registers(station, place));
  }
};

TEST(Conveyor, OnlyAFreshOkForItsOwnIdLetsAnItemPass) {
  struct Case {
    const char* what;
    Outcome outcome;
    std::function<void(Belt&, std::chrono::milliseconds, ItemId)> program;
  };
  const std::vector<Case> cases{
      {"ok", Outcome::passed,
       [](Belt& belt, auto, ItemId id) { belt.beat(), belt.tell(id, Verdict::ok); }},
      {"reject", Outcome::rejected,
       [](Belt& belt, auto, ItemId id) { belt.beat(), belt.tell(id, Verdict::reject); }},
      {"review", Outcome::review,
       [](Belt& belt, auto, ItemId id) { belt.beat(), belt.tell(id, Verdict::review); }},
      {"silence", Outcome::silence, [](Belt& belt, auto, ItemId) { belt.beat(); }},
      {"no station", Outcome::station_dead, [](Belt&, auto, ItemId) {}},
      {"an ok for the item before", Outcome::silence,
       [](Belt& belt, auto, ItemId id) {
         belt.beat(), belt.tell({id.epoch, uint16_t(id.trigger - 1)}, Verdict::ok);
       }},
      {"an ok of another epoch", Outcome::silence,
       [](Belt& belt, auto, ItemId id) {
         belt.beat(), belt.tell({uint16_t(id.epoch - 1), id.trigger}, Verdict::ok);
       }},
      {"an ok that is too late", Outcome::silence,
       [](Belt& belt, auto time, ItemId id) {
         belt.beat();
         if (time % 100 >= 51ms) belt.tell(id, Verdict::ok);
       }},
      {"ok, then reject", Outcome::contradiction, [](Belt& belt, auto time, ItemId id) {
         belt.beat();
         belt.tell(id, time % 100 < 20ms ? Verdict::ok : Verdict::reject);
       }}};
  for (const Case& one : cases) {
    Belt belt(5);
    belt.run([&](auto time) { one.program(belt, time, belt.newest()); });
    ASSERT_EQ(belt.gone.size(), 5u) << one.what;
    for (const Gone& item : belt.gone)
      EXPECT_EQ(item.outcome, one.outcome) << one.what << " " << item.number;
  }
}

TEST(Conveyor, WhatComesLateOrForNobodyIsCounted) {
  Belt late(3);
  late.run([&](auto time) {
    late.beat();
    if (time % 100 == 70ms) late.tell(late.newest(), Verdict::ok);
  });
  EXPECT_EQ(late.late, 2u) << "the third comes when the belt has stopped";
  EXPECT_EQ(late.unknown, 0u);
  Belt foreign(3);
  foreign.run([&](auto time) {
    foreign.beat();
    if (time == 5ms) foreign.tell({77, 77}, Verdict::ok);
  });
  EXPECT_EQ(foreign.unknown, 1u);
}

TEST(Conveyor, NumbersGoOnInTheNextEpoch) {
  Belt belt(4);
  belt.options.first_epoch = 9;
  belt.options.first_trigger = 65533;
  belt.run([&](auto) { belt.beat(), belt.tell(belt.newest(), Verdict::ok); });
  const std::vector<ItemId> ids{{9, 65534}, {9, 65535}, {10, 0}, {10, 1}};
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(belt.gone[i].id, ids[i]);
}

TEST(Conveyor, EightResultsInOneWriteAreAllTaken) {
  Belt belt(8);
  belt.options.items_per_second = 1000;
  belt.run([&](auto time) {
    belt.beat();
    if (time != 20ms) return;
    for (int i = 0; i < kHistory; ++i) belt.tell({1, uint16_t(8 - i)}, Verdict::ok, i);
  });
  for (const Gone& item : belt.gone) EXPECT_EQ(item.outcome, Outcome::passed) << item.number;
}

TEST(Conveyor, ADeadStationIsKnownWithin150Ms) {
  Belt belt(20);
  std::optional<std::chrono::milliseconds> known;
  const Instant start;
  Conveyor conveyor(belt.options, start);
  for (auto time = 0ms; time < 600ms; time += 1ms) {
    if (time < 300ms) belt.beat();
    conveyor.scan(start + time, belt.station, belt.plc);
    if (time >= 300ms && !known && !conveyor.station_alive()) known = time - 299ms;
  }
  ASSERT_TRUE(known);
  EXPECT_EQ(*known, 150ms);
}

}  // namespace
}  // namespace edgeprune::station
