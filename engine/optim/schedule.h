#pragma once

#include <cstdint>
#include <string>

#include "engine/base/names.h"

namespace edgeprune::optim {

/// A learning rate as a function of the step.
struct Schedule {
  enum class Kind { constant, cosine, step };
  Kind kind = Kind::constant;
  float initial = 1e-3f;
  int64_t total_steps = 1;      ///< cosine: where the rate reaches zero
  int64_t steps_per_decay = 1;  ///< step: how often the rate is multiplied by `decay`
  float decay = 0.1f;
  int64_t first_step = 0;  ///< what step 0 is: later ones replay a schedule's end

  /// So many first ones, counted from first_step, rise in a line to the rate that they would have.
  int64_t warm_up_steps = 0;

  /// The rate of the given step, counted from first_step. Cosine without restarts: Loshchilov &
  /// Hutter 2017.
  float rate(int64_t step) const;

 private:
  float full_rate(int64_t step) const;
};

inline constexpr Named<Schedule::Kind> kScheduleNames[] = {
    {Schedule::Kind::constant, "constant"},
    {Schedule::Kind::cosine, "cosine", "to zero"},
    {Schedule::Kind::step, "step", "0.1 x, twice"}};
static_assert(in_order(kScheduleNames));

inline const char* to_string(Schedule::Kind kind) {
  return name_of(kScheduleNames, kind);
}
/// Throws std::invalid_argument listing the choices.
inline Schedule::Kind parse_schedule(const std::string& name) {
  return value_of("schedule", kScheduleNames, name);
}

}  // namespace edgeprune::optim
