#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/station/pipeline/judge.h"

namespace edgeprune::station {

/// Where a new model is on its way.
enum class Phase { settled, shadow, watched };
inline constexpr Named<Phase> kPhases[] = {
    {Phase::settled, "settled", "one model, nobody to compare it with"},
    {Phase::shadow, "shadow", "a new model judges beside the active one and decides nothing"},
    {Phase::watched, "watched", "the new one decides, the one before judges beside it"}};
static_assert(in_order(kPhases));

struct DeploymentOptions {
  int64_t shadow_items = 200, watched_items = 200;
  double most_disagreement = 0.05;  ///< of either phase's items, verdicts that differ
  double most_late = 0.01;          ///< of the watched ones
};

/// How one model takes another's place: in shadow first, then watched, and back by itself when it misbehaves. For one thread.
class Deployment {
 public:
  explicit Deployment(std::shared_ptr<Judge> active, const DeploymentOptions& options = {});

  /// A model that was verified begins in shadow; one that was there already is given up.
  void propose(std::shared_ptr<Judge> candidate);

  /// What an item says: to be called for each in turn, with its image if there was one.
  struct Step {
    std::shared_ptr<Judge> activate;  ///< from now on this one decides; null: as before
    std::string what;                 ///< for the audit log; empty: nothing happened
  };
  Step look(const Record& record, const Image* image);

  Phase phase() const { return phase_; }
  int64_t items() const { return items_; }  ///< of this phase
  int64_t disagreements() const { return disagreements_; }
  const Judge& active() const { return *active_; }

 private:
  void begin(Phase phase);
  Step end_shadow(bool good, const std::string& why);
  Step end_watch(bool good, const std::string& why);

  DeploymentOptions options_;
  std::shared_ptr<Judge> active_, other_;  ///< `other_`: the candidate, or the one before
  Phase phase_ = Phase::settled;
  int64_t items_ = 0, disagreements_ = 0, late_ = 0;
};

}  // namespace edgeprune::station
