#include "engine/base/random.h"

#include <cmath>
#include <numbers>

namespace edgeprune {

float Rng::normal() {  // Box-Muller, the second value thrown away to keep the stream stateless
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * uniform()));
}

}  // namespace edgeprune
