#include "tools/station/plc/conveyor.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace edgeprune::station {
namespace {

constexpr size_t kRemembered = 64;

ItemId behind(ItemId id) {
  if (++id.trigger == 0) ++id.epoch;
  return id;
}

bool same(const std::optional<Result>& a, const std::optional<Result>& b) {
  return a.has_value() == b.has_value() && (!a || (a->id == b->id && a->verdict == b->verdict));
}

}  // namespace

Conveyor::Conveyor(const ConveyorOptions& options, Instant start)
    : options_(options),
      random_(options.seed),
      next_(start),
      last_{options.first_epoch, options.first_trigger} {
  require(options.items_per_second > 0 && options.items_per_second <= 1000, "conveyor",
          "expected 0 to 1000 items a second, got {}", options.items_per_second);
  require(options.jitter >= 0 && options.jitter < 1, "conveyor",
          "expected a jitter from 0 to below 1, got {}", options.jitter);
  acknowledged_ = last_;
}

void Conveyor::scan(Instant now, const StationBlock& station, PlcBlock& plc) {
  station_alive_ = heartbeat_.alive(at(station, StationRegister::heartbeat), now);
  take_results(now, station);
  divert(now);
  let_come(now);
  if (now - beat_ >= kHeartbeat / 2) {
    beat_ = now;
    ++plc_heartbeat_;
  }
  at(plc, PlcRegister::trigger) = last_.trigger;
  at(plc, PlcRegister::epoch) = last_.epoch;
  at(plc, PlcRegister::ack_trigger) = acknowledged_.trigger;
  at(plc, PlcRegister::ack_epoch) = acknowledged_.epoch;
  at(plc, PlcRegister::heartbeat) = plc_heartbeat_;
}

void Conveyor::take_results(Instant now, const StationBlock& station) {
  std::array<std::optional<Result>, kHistory> results;
  StationBlock copy = station;
  for (int i = 0; i < kHistory; ++i)
    results[static_cast<size_t>(i)] = decode(result_registers(copy, i));
  for (int i = kHistory; i-- > 0;) {  // the oldest first
    const auto& result = results[static_cast<size_t>(i)];
    const bool known = std::any_of(before_.begin(), before_.end(),
                                   [&](const auto& one) { return same(one, result); });
    if (result && !known) take_result(now, *result);
  }
  before_ = results;
}

void Conveyor::take_result(Instant now, const Result& result) {
  acknowledged_ = result.id;
  const auto item = std::find_if(belt_.begin(), belt_.end(),
                                 [&](const Item& one) { return one.id == result.id; });
  if (item == belt_.end()) {
    const bool was_here =
        std::find(diverted_.begin(), diverted_.end(), result.id) != diverted_.end();
    ++(was_here ? late_ : unknown_);
    return;
  }
  if (item->result) {
    item->contradicted |= item->result->verdict != result.verdict;
    return;
  }
  item->result = result;
  item->to_result = now - item->seen;
}

Outcome Conveyor::outcome_of(const Item& item) const {
  if (item.contradicted) return Outcome::contradiction;
  if (!item.result) return station_alive_ ? Outcome::silence : Outcome::station_dead;
  switch (item.result->verdict) {
    case Verdict::ok:
      return Outcome::passed;
    case Verdict::reject:
      return Outcome::rejected;
    case Verdict::review:
      break;
  }
  return Outcome::review;
}

void Conveyor::divert(Instant now) {
  while (!belt_.empty() && now >= belt_.front().seen + options_.to_diverter) {
    const Item& item = belt_.front();
    gone_.push_back({item.number, item.id, outcome_of(item), item.to_result});
    diverted_.push_back(item.id);
    if (diverted_.size() > kRemembered) diverted_.pop_front();
    belt_.pop_front();
  }
}

void Conveyor::let_come(Instant now) {
  if (now < next_ || (options_.items > 0 && come_ >= options_.items)) return;
  last_ = behind(last_);
  belt_.push_back({come_++, last_, now, {}, false, {}});
  const double varied =
      1 + options_.jitter * std::uniform_real_distribution<double>(-1, 1)(random_);
  next_ = std::max(
      next_ + std::chrono::nanoseconds(std::llround(1e9 * varied / options_.items_per_second)),
      now);
}

std::vector<Gone> Conveyor::take_gone() {
  return std::exchange(gone_, {});
}

bool Conveyor::finished() const {
  return options_.items > 0 && come_ >= options_.items && belt_.empty();
}

}  // namespace edgeprune::station
