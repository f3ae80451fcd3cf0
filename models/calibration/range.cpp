#include "models/calibration/range.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune {

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  const bool numbers =
      std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
  require(numbers, "calibration", "a value is not finite");
  all_ = {std::min(all_.least, *least), std::max(all_.greatest, *greatest)};
  if (count_ == 0) all_ = {*least, *greatest};
  widen(std::max(std::abs(*least), std::abs(*greatest)));
  for (const float x : values) {
    const int bin = half_ > 0 ? int((x / half_ + 1) * (kBins / 2)) : 0;
    ++bins_[static_cast<size_t>(std::clamp(bin, 0, kBins - 1))];
  }
  count_ += std::ssize(values);
}

/// Doubles the range until it holds `size`: two bins become one.
void Histogram::widen(float size) {
  if (size <= half_) return;
  if (count_ == 0 || half_ == 0) {
    std::fill(bins_.begin(), bins_.end(), 0);
    bins_[kBins / 2] = count_;  // zeros so far
    half_ = size;
    return;
  }
  while (half_ < size) {
    std::vector<int64_t> wider(kBins);
    for (size_t bin = 0; bin < kBins; ++bin) wider[kBins / 4 + bin / 2] += bins_[bin];
    bins_ = std::move(wider);
    half_ *= 2;
  }
}

Range Histogram::range(Observer observer, int levels) const {
  switch (observer) {
    case Observer::minmax:
      return all_;
    case Observer::percentile:
      return percentile();
    case Observer::mse:
      return least_error(levels);
  }
  return all_;
}

Range Histogram::percentile() const {
  constexpr double kOutside = 1e-4;
  const auto outside = static_cast<int64_t>(kOutside * double(count_));
  int low = 0, high = kBins - 1;
  for (int64_t seen = bins_[0]; seen <= outside && low + 1 < kBins;) seen += bins_[size_t(++low)];
  for (int64_t seen = bins_[kBins - 1]; seen <= outside && high > 0;) seen += bins_[size_t(--high)];
  return {std::max(all_.least, middle(low)), std::min(all_.greatest, middle(high))};
}

/// Tries parts of the whole range, both ends drawn in alike.
Range Histogram::least_error(int levels) const {
  constexpr int kParts = 64;  // down to a quarter
  Range best = all_;
  double least = std::numeric_limits<double>::infinity();
  for (int part = kParts; part >= kParts / 4; --part) {
    const float share = float(part) / kParts;
    const Range tried{all_.least * share, all_.greatest * share};
    const float low = std::min(0.0f, tried.least), high = std::max(0.0f, tried.greatest);
    if (high <= low) return all_;
    const Grid grid{(high - low) / float(levels - 1),
                    int(std::lrint(-low / (high - low) * float(levels - 1))), 0, levels - 1};
    double error = 0;
    for (int bin = 0; bin < kBins; ++bin) {
      if (bins_[size_t(bin)] == 0) continue;
      const double x = middle(bin), off = x - grid.value(grid.quantize(middle(bin)));
      error += double(bins_[size_t(bin)]) * off * off;
    }
    if (error < least) {
      least = error;
      best = tried;
    }
  }
  return best;
}

}  // namespace edgeprune
