#include "tools/station/drift/cusum.h"

#include <algorithm>
#include <cmath>

namespace edgeprune::station {

double normal_quantile(double p) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

bool Cusum::add(double score) {
  up_ = std::max(0.0, up_ + score - slack_);
  down_ = std::max(0.0, down_ - score - slack_);
  if (std::max(up_, down_) < threshold_) return false;
  up_ = down_ = 0;
  return true;
}

double Cusum::level() const {
  return std::max(up_, down_) / threshold_;
}

double threshold_for(double items) {
  double low = 0, high = 200;
  for (int i = 0; i < 100; ++i) {
    const double b = (low + high) / 2 + 1.166, exponent = 2 * Cusum::kSlack * b;
    const double expected =
        (std::exp(exponent) - exponent - 1) / (2 * Cusum::kSlack * Cusum::kSlack);
    (expected < items ? low : high) = (low + high) / 2;
  }
  return (low + high) / 2;
}

}  // namespace edgeprune::station
