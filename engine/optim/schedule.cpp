#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edgeprune::optim {

float Schedule::rate(int64_t step) const {
  const float full = full_rate(step + first_step);
  if (step >= warm_up_steps) return full;
  return full * static_cast<float>(double(step + 1) / double(warm_up_steps));
}

float Schedule::full_rate(int64_t step) const {
  switch (kind) {
    case Kind::constant:
      return initial;
    case Kind::cosine: {
      const double progress =
          std::min(1.0, double(step) / double(std::max<int64_t>(1, total_steps)));
      return static_cast<float>(initial * 0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
    }
    case Kind::step:
      return static_cast<float>(
          initial * std::pow(double(decay), double(step / std::max<int64_t>(1, steps_per_decay))));
  }
  return initial;
}

}  // namespace edgeprune::optim
