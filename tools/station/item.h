#pragma once
// What every part of the inspection station speaks of: an item on the belt, the times of its way, and
// what was decided.

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/names.h"

namespace edgeprune::station {

/// All durations and deadlines are taken on the monotonic clock: steps of the wall clock change nothing.
using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;

/// The PLC counts its triggers in 16 bits; the epoch tells the counter's rounds and the PLC's restarts
/// apart, so that an id never comes twice.
struct ItemId {
  uint16_t epoch = 0;
  uint16_t trigger = 0;
  auto operator<=>(const ItemId&) const = default;
};

/// Only `ok` lets an item pass; the PLC diverts all others, and those of which it hears nothing.
enum class Verdict { ok, reject, review };
inline constexpr Named<Verdict> kVerdicts[] = {{Verdict::ok, "ok"},
                                               {Verdict::reject, "reject", "defective"},
                                               {Verdict::review, "review", "a person looks at it"}};
static_assert(in_order(kVerdicts));

/// Why. Everything but `confident` is diverted.
enum class Reason { confident, unsure, disagreement, late, no_image, fault, lost };
inline constexpr Named<Reason> kReasons[] = {
    {Reason::confident, "confident", "the scores clear a threshold"},
    {Reason::unsure, "unsure", "the scores lie between the thresholds"},
    {Reason::disagreement, "disagreement", "the second model sees another class"},
    {Reason::late, "late", "decided after the item's deadline"},
    {Reason::no_image, "no_image", "the camera gave no whole new image in time"},
    {Reason::fault, "fault", "the network gave no finite scores"},
    {Reason::lost, "lost", "in flight when the station stopped or overran: never judged"}};
static_assert(in_order(kReasons));

/// What the scores of one item come to.
struct Decision {
  Verdict verdict = Verdict::review;
  Reason reason = Reason::no_image;
  int label = -1;        ///< the likeliest class; -1: there were no scores
  float confidence = 0;  ///< its calibrated probability, 0 to 1
};

/// When an item reached each part of its way; absent: it did not.
struct Stamps {
  Instant trigger;                  ///< the station saw it
  std::optional<Instant> captured;  ///< the whole image was here
  std::optional<Instant> queued;    ///< it was taken from the queue
  std::optional<Instant> preprocessed, inferred, decided;
  std::optional<Instant> answered;  ///< the PLC has the verdict: its write was confirmed
};

/// One item's decision as the journal keeps it, the uplink sends it and the page shows it.
struct Record {
  ItemId id;
  int64_t utc_ns = 0;  ///< the wall clock when it was decided, nanoseconds since 1970
  Stamps stamps;
  Decision decision;
  std::vector<float> probabilities;  ///< [classes], calibrated; empty: there were none
  std::string model;   ///< the network's weights: the first 16 hex digits of their SHA-256
  std::string policy;  ///< likewise of its thresholds and calibration
};

}  // namespace edgeprune::station
