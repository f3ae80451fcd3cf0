#pragma once
// How many times as fast one thing is as another: the only way in which this project compares
// times. A machine drifts by a third within minutes, so that two times of different moments say
// nothing; those of one round, moments apart, share what disturbed them.

#include <functional>
#include <vector>

#include "tools/measurement/latency_cell.h"

namespace edgeprune {

/// One of those that take turns.
struct Competitor {
  /// Works for one turn and returns how long its work took, in any unit that all share.
  std::function<double()> turn;
  size_t reference = 0;  ///< the competitor that it is compared with; itself: with none
};

struct RoundLimits {
  int64_t least = 5;        ///< rounds, whatever happens
  int64_t fewest = 15;      ///< rounds, before an interval counts as narrow
  int64_t most = 100'000;   ///< rounds
  double at_least = 0;      ///< seconds of all rounds together...
  double seconds = 3;       ///< ...and how many they may take, once there are `least`
  double precision = 0.03;  ///< half the interval's width, as a share of the factor
};

struct Rounds {
  std::vector<std::vector<double>> times;  ///< [competitor][round]
  /// The reference's time divided by the competitor's own, a competitor: above 1 it is faster. The
  /// median over the rounds with its interval (statistics.h).
  std::vector<Factor> factors;
  bool capped = false;  ///< ended by `most` or `seconds` before all intervals were narrow
};

/// How many times as fast as `reference`, by the rounds that both took turns in.
Factor factor_of(const std::vector<double>& reference, const std::vector<double>& own);

/// Every round gives each competitor a turn, the next round in the opposite order, so that what
/// drifts within a round cancels. Goes on until every factor's interval is narrow, or a cap is
/// reached. Throws std::invalid_argument on limits out of range or a reference that is none of the
/// competitors, Interrupted on Ctrl-C.
Rounds take_turns(const std::vector<Competitor>& competitors, const RoundLimits& limits);

}  // namespace edgeprune
