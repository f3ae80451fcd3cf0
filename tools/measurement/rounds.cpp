#include "tools/measurement/rounds.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/timer.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/measurement/statistics.h"

namespace edgeprune {
namespace {

void update_factors(Rounds& rounds, const std::vector<Competitor>& competitors) {
  rounds.factors.clear();
  for (size_t i = 0; i < competitors.size(); ++i) {
    rounds.factors.push_back(factor_of(rounds.times[competitors[i].reference], rounds.times[i]));
  }
}

double widest(const std::vector<Factor>& factors) {
  double width = 0;
  for (const Factor& factor : factors) width = std::max(width, factor.half_width());
  return width;
}

void one_round(Rounds& rounds, const std::vector<Competitor>& competitors, bool backwards) {
  const size_t count = competitors.size();
  for (size_t i = 0; i < count; ++i) {
    throw_if_interrupted();
    const size_t next = backwards ? count - 1 - i : i;
    rounds.times[next].push_back(competitors[next].turn());
  }
}

}  // namespace

Factor factor_of(const std::vector<double>& reference, const std::vector<double>& own) {
  std::vector<double> ratios;
  for (size_t round = 0; round < own.size(); ++round)
    ratios.push_back(reference[round] / own[round]);
  return {median_interval(ratios), std::ssize(ratios)};
}

Rounds take_turns(const std::vector<Competitor>& competitors, const RoundLimits& limits) {
  require(limits.least >= 1 && limits.fewest >= 1 && limits.most >= limits.least &&
              limits.seconds >= 0 && limits.precision > 0,
          "rounds",
          "expected at least 1 round, as many at most, 0 seconds and a precision above 0, got {} "
          "and {} to {}, {} and {}",
          limits.least, limits.fewest, limits.most, limits.seconds, limits.precision);
  for (const Competitor& one : competitors) {
    require(one.reference < competitors.size(), "rounds", "there is no competitor {} of {}",
            one.reference, competitors.size());
  }
  Rounds rounds{.times = std::vector<std::vector<double>>(competitors.size()), .factors = {}};
  if (competitors.empty()) return rounds;
  Progress progress("rounds", limits.fewest, "rounds");
  const Stopwatch watch;
  int64_t next_look = limits.fewest;  // an interval costs milliseconds: not after every round
  for (int64_t round = 1;; ++round) {
    one_round(rounds, competitors, round % 2 == 0);
    if (round <= limits.fewest) progress.advance(1);
    const bool over =
        round >= limits.most || (round >= limits.least && watch.seconds() >= limits.seconds);
    const bool early = round < next_look || watch.seconds() < limits.at_least;
    if (early && !over) continue;
    next_look = round + std::max<int64_t>(1, round / 4);
    update_factors(rounds, competitors);
    const double width = widest(rounds.factors);
    const bool narrow = round >= limits.fewest && width <= limits.precision;
    if (narrow || over) {
      rounds.capped = !narrow;
      return rounds;
    }
    progress.advance(0, fmt::format("so far within {:.1f} %", 100 * width));
  }
}

}  // namespace edgeprune
