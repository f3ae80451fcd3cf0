#include "tools/station/deployment/deployment.h"

#include <fmt/format.h>

#include <utility>

namespace edgeprune::station {

Deployment::Deployment(std::shared_ptr<Judge> active, const DeploymentOptions& options)
    : options_(options), active_(std::move(active)) {}

void Deployment::begin(Phase phase) {
  phase_ = phase;
  items_ = disagreements_ = late_ = 0;
}

void Deployment::propose(std::shared_ptr<Judge> candidate) {
  other_ = std::move(candidate);
  begin(Phase::shadow);
}

Deployment::Step Deployment::end_shadow(bool good, const std::string& why) {
  const std::string name = other_->model();
  if (!good) {
    other_.reset();
    begin(Phase::settled);
    return {nullptr, fmt::format("model {} refused in shadow: {}", name, why)};
  }
  std::swap(active_, other_);
  begin(Phase::watched);
  return {active_, fmt::format("model {} active, watched: {}", name, why)};
}

Deployment::Step Deployment::end_watch(bool good, const std::string& why) {
  const std::string name = active_->model();
  if (!good) std::swap(active_, other_);
  other_.reset();
  begin(Phase::settled);
  if (good) return {nullptr, fmt::format("model {} stays: {}", name, why)};
  return {active_, fmt::format("model {} rolled back to {}: {}", name, active_->model(), why)};
}

Deployment::Step Deployment::look(const Record& record, const Image* image) {
  // Items of before a swap, and those that a second model decided, say nothing of the active one.
  if (phase_ == Phase::settled || image == nullptr ||
      (!record.model.empty() && record.model != active_->model()))
    return {};
  const bool shadow = phase_ == Phase::shadow;
  const Judgement opinion = (*other_)(*image);
  ++items_;
  late_ += record.decision.reason == Reason::late;
  const Reason of_new = shadow ? opinion.decision.reason : record.decision.reason;
  // A late item's verdict is its lateness.
  if (record.decision.reason != Reason::late && opinion.decision.verdict != record.decision.verdict)
    ++disagreements_;

  const auto end = [&](bool good, const std::string& why) {
    return shadow ? end_shadow(good, why) : end_watch(good, why);
  };
  const int64_t wanted = shadow ? options_.shadow_items : options_.watched_items;
  const auto allowed = [&](double share) {
    return static_cast<int64_t>(share * static_cast<double>(wanted));
  };
  const std::string counts = fmt::format("{} of {} verdicts differ", disagreements_, items_);
  if (of_new == Reason::fault) return end(false, "scores that are no numbers");
  if (disagreements_ > allowed(options_.most_disagreement)) return end(false, counts);
  if (!shadow && late_ > allowed(options_.most_late))
    return end(false, fmt::format("{} of {} items late", late_, items_));
  if (items_ >= wanted) return end(true, counts);
  return {};
}

}  // namespace edgeprune::station
