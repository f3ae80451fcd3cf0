#pragma once

#include <array>
#include <cstdint>

#include "engine/base/names.h"
#include "tools/station/item.h"
#include "tools/station/pipeline/durations.h"

namespace edgeprune::station {

/// The parts of an item's way; each is timed from the end of the one before, `whole` from the trigger to the
/// PLC's confirmation.
enum class Stage { capture, queue, preprocessing, inference, decision, answer, whole };
inline constexpr Named<Stage> kStages[] = {
    {Stage::capture, "capture", "from the trigger to the whole image"},
    {Stage::queue, "queue", "behind the item before"},
    {Stage::preprocessing, "preprocessing"},
    {Stage::inference, "inference"},
    {Stage::decision, "decision", "a second model's inference included"},
    {Stage::answer, "answer", "until the PLC confirms"},
    {Stage::whole, "whole"}};
static_assert(in_order(kStages));

/// What became of all items since the station was started.
struct Totals {
  uint64_t items = 0;
  std::array<uint64_t, std::size(kVerdicts)> verdicts{};
  std::array<uint64_t, std::size(kReasons)> reasons{};
  std::array<Durations, std::size(kStages)> stages{};
  uint64_t asked_second = 0;  ///< items that the second model saw
  uint64_t unanswered =
      0;  ///< items whose answer the PLC never confirmed: it diverted them by itself

  uint64_t of(Verdict verdict) const { return verdicts[static_cast<size_t>(verdict)]; }
  uint64_t of(Reason reason) const { return reasons[static_cast<size_t>(reason)]; }
  const Durations& of(Stage stage) const { return stages[static_cast<size_t>(stage)]; }
};

}  // namespace edgeprune::station
