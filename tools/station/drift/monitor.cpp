#include "tools/station/drift/monitor.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <utility>

namespace edgeprune::station {
namespace {

constexpr size_t kRecent = 100;
constexpr int kWindow = 32, kSameWindows = 3;
constexpr double kLeastPeak = 0.05;

double pixels(const Shift& shift) {
  return std::hypot(shift.right, shift.down);
}

}  // namespace

DriftMonitor::DriftMonitor(DriftReference reference, double false_alarms)
    : reference_(std::move(reference)), window_(size_t{kThumbnail} * kThumbnail) {
  const double charts = 2.0 * std::size(kFeatures);  // two directions each
  const double threshold = threshold_for(charts / false_alarms);
  for (const auto& values : reference_.values) {
    // The reference's own mean is known to 1/sqrt(n) deviations: what lies within twice that is no drift.
    const double slack = Cusum::kSlack + 2 / std::sqrt(static_cast<double>(values.size()));
    tests_.push_back({Cusum(threshold, slack), {}, 0});
  }
}

std::optional<std::string> DriftMonitor::add(const Image& image, float confidence) {
  const Features features = features_of(image, confidence);
  std::optional<std::string> alarm;
  for (const auto& feature : kFeatures) {
    Test& test = tests_[static_cast<size_t>(feature.value)];
    const float value = features[static_cast<size_t>(feature.value)];
    if (test.recent.size() < kRecent) {
      test.recent.push_back(value);
    } else {
      test.recent[items_ % kRecent] = value;
    }
    if (!test.sums.add(reference_.normal_score(feature.value, value))) continue;
    ++test.alarms;
    const double effect = effect_of(feature.value);
    if (!alarm) {
      alarm = fmt::format("{} {} by {:.2g} standard deviations", feature.name,
                          effect < 0 ? "fell" : "rose", std::abs(effect));
    }
  }
  ++items_;
  auto moved = watch_shift(image);
  return alarm ? alarm : moved;
}

std::optional<std::string> DriftMonitor::watch_shift(const Image& image) {
  const std::vector<float> small = thumbnail(image);
  for (size_t i = 0; i < small.size(); ++i) window_[i] += small[i];
  if (++in_window_ < kWindow) return std::nullopt;
  std::vector<float> mean;
  for (double& sum : window_) mean.push_back(static_cast<float>(std::exchange(sum, 0.0) / kWindow));
  in_window_ = 0;
  const Shift now = shift_between(reference_.mean, mean);
  const bool moved = (now.right != 0 || now.down != 0) && now.peak >= kLeastPeak;
  same_ = !moved ? 0 : now.right == shift_.right && now.down == shift_.down ? same_ + 1 : 1;
  shift_ = moved ? now : Shift{};
  if (same_ != kSameWindows) return std::nullopt;
  ++shift_alarms_;
  return fmt::format("the image moved by {} right and {} down, of {} pixels", now.right, now.down,
                     kThumbnail);
}

double DriftMonitor::effect_of(Feature feature) const {
  const auto& recent = tests_[static_cast<size_t>(feature)].recent;
  if (recent.empty()) return 0;
  return reference_.effect_size(feature, std::accumulate(recent.begin(), recent.end(), 0.0) /
                                             static_cast<double>(recent.size()));
}

std::vector<DriftState> DriftMonitor::state() const {
  std::vector<DriftState> states;
  for (const auto& feature : kFeatures) {
    const Test& test = tests_[static_cast<size_t>(feature.value)];
    states.push_back({feature.name, test.sums.level(), effect_of(feature.value), test.alarms});
  }
  states.push_back({"shift", std::min(1.0, static_cast<double>(same_) / kSameWindows),
                    pixels(shift_), shift_alarms_});
  return states;
}

}  // namespace edgeprune::station
