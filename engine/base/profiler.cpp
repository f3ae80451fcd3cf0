#include "engine/base/profiler.h"

namespace edgeprune {
namespace {
thread_local Profiler* active = nullptr;
thread_local Timed* innermost = nullptr;
}  // namespace

void Profiler::add(const std::string& family, Phase phase, double seconds, const Cost& cost) {
  Entry& entry = entries_[{family, phase}];
  entry.seconds += seconds;
  ++entry.calls;
  entry.cost.flops += cost.flops;
  entry.cost.bytes += cost.bytes;
}

ProfilerScope::ProfilerScope(Profiler& profiler) : before_(active) {
  active = &profiler;
}
ProfilerScope::~ProfilerScope() {
  active = before_;
}

Timed::Timed(const char* family, Phase phase, Cost cost)
    : profiler_(active), family_(family), phase_(phase), cost_(cost) {
  if (profiler_ == nullptr) return;
  outer_ = innermost;
  innermost = this;
}

Timed::~Timed() {
  if (profiler_ == nullptr) return;
  const double seconds = watch_.seconds();
  innermost = outer_;
  if (outer_ != nullptr) outer_->inside_ += seconds;
  profiler_->add(family_, phase_, seconds - inside_, cost_);
}

}  // namespace edgeprune
