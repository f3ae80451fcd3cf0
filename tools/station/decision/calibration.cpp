#include "tools/station/decision/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune::station {
namespace {

constexpr size_t kBins = 15;     ///< as Guo et al.
constexpr float kSurely = 0.5f;  ///< from here on a class is the likeliest, whatever the others

/// Of the loss as a function of 1/T, in which it is convex: the mean of E[z] - z_label, and of Var[z].
struct Slope {
  double first = 0, second = 0;
};
Slope slope_at(const HeldOut& held_out, double inverse) {
  Slope slope;
  for (size_t i = 0; i < held_out.images(); ++i) {
    const auto row = held_out.row(i);
    const double most = *std::ranges::max_element(row);
    double sum = 0, mean = 0, square = 0;
    for (const float logit : row) {
      const double z = logit - most, power = std::exp(z * inverse);
      sum += power, mean += power * z, square += power * z * z;
    }
    mean /= sum, square /= sum;
    slope.first += mean - (row[static_cast<size_t>(held_out.labels[i])] - most);
    slope.second += square - mean * mean;
  }
  return slope;
}

/// P(X <= k) of Binomial(n, p).
double binomial_up_to(int64_t k, int64_t n, double p) {
  if (k >= n || p <= 0) return 1;
  if (k < 0 || p >= 1) return 0;
  double sum = 0;
  for (int64_t i = 0; i <= k; ++i) {
    const double chosen =
        std::lgamma(double(n) + 1) - std::lgamma(double(i) + 1) - std::lgamma(double(n - i) + 1);
    sum += std::exp(chosen + double(i) * std::log(p) + double(n - i) * std::log1p(-p));
  }
  return std::min(sum, 1.0);
}

/// Probabilities as the station will have them: the thresholds are some of these very floats.
std::vector<std::vector<float>> all_probabilities(const HeldOut& held_out, float temperature) {
  std::vector<std::vector<float>> all;
  for (size_t i = 0; i < held_out.images(); ++i) {
    all.push_back(probabilities(held_out.row(i), temperature));
  }
  return all;
}

size_t likeliest(const std::vector<float>& shares) {
  return static_cast<size_t>(std::ranges::max_element(shares) - shares.begin());
}

/// What is called a defect, of whatever class, does not pass: no threshold has to catch it.
float clear_below(const HeldOut& held_out, const std::vector<std::vector<float>>& all,
                  const Wishes& wishes, size_t c) {
  std::vector<float> scores;
  for (size_t i = 0; i < all.size(); ++i) {
    if (held_out.labels[i] != static_cast<int>(c)) continue;
    const bool called_good = wishes.good[likeliest(all[i])];
    scores.push_back(called_good ? std::min(all[i][c], kSurely) : kSurely);
  }
  std::ranges::sort(scores);
  const int64_t allowed = misses_allowed(std::ssize(scores), wishes.recalls[c], wishes.confidence);
  return scores[static_cast<size_t>(std::clamp<int64_t>(allowed, 0, std::ssize(scores) - 1))];
}

float reject_from(const HeldOut& held_out, const std::vector<std::vector<float>>& all,
                  const Wishes& wishes, size_t c) {
  std::vector<std::pair<float, bool>> scores;  // and whether it is a defect
  for (size_t i = 0; i < all.size(); ++i) {
    const bool defect = !wishes.good[static_cast<size_t>(held_out.labels[i])];
    if (all[i][c] >= kSurely) scores.emplace_back(all[i][c], defect);
  }
  std::ranges::sort(scores, std::greater());
  float from = kNeverReject;
  double defects = 0;
  for (size_t n = 0; n < scores.size(); ++n) {
    defects += scores[n].second;
    const bool last_of_equals = n + 1 == scores.size() || scores[n + 1].first < scores[n].first;
    if (last_of_equals && defects >= wishes.reject_precision * double(n + 1)) {
      from = scores[n].first;
    }
  }
  return from;
}

}  // namespace

double fit_temperature(const HeldOut& held_out) {
  double low = 1 / kHottest, high = 1 / kColdest;  // of 1/T
  if (slope_at(held_out, high).first <= 0) return kColdest;
  if (slope_at(held_out, low).first >= 0) return kHottest;
  double inverse = 1;
  for (int step = 0; step < 100 && high - low > 1e-9 * high; ++step) {
    const Slope slope = slope_at(held_out, inverse);
    (slope.first > 0 ? high : low) = inverse;
    const double newton = inverse - slope.first / slope.second;
    const bool inside = newton > low && newton < high;
    if (inside && std::abs(newton - inverse) < 1e-10 * inverse) return 1 / newton;
    inverse = inside ? newton : (low + high) / 2;
  }
  return 1 / inverse;
}

Truth truth_of(const HeldOut& held_out, double temperature) {
  std::array<double, kBins> gaps{};  // of each bin, the sum of confidence - correct
  Truth truth;
  for (size_t i = 0; i < held_out.images(); ++i) {
    const auto row = held_out.row(i);
    const auto label = static_cast<size_t>(held_out.labels[i]);
    const double most = *std::ranges::max_element(row);
    double sum = 0;
    for (const float logit : row) sum += std::exp((logit - most) / temperature);
    truth.loss += std::log(sum) - (row[label] - most) / temperature;
    const double confidence = 1 / sum;
    const bool correct = std::ranges::max_element(row) - row.begin() == std::ptrdiff_t(label);
    const auto bin = std::min(kBins - 1, static_cast<size_t>(confidence * kBins));
    gaps[bin] += confidence - (correct ? 1 : 0);
  }
  const auto images = static_cast<double>(std::max<size_t>(held_out.images(), 1));
  truth.loss /= images;
  for (const double gap : gaps) truth.calibration_error += std::abs(gap) / images;
  return truth;
}

double lower_bound(int64_t hits, int64_t all, double confidence) {
  if (hits <= 0) return 0;
  double low = 0, high = 1;  // of the share of misses: the highest that so few are still likely at
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (binomial_up_to(all - hits, all, middle) > 1 - confidence ? low : high) = middle;
  }
  return 1 - high;
}

int64_t misses_allowed(int64_t all, double share, double confidence) {
  int64_t misses = -1;
  while (misses + 1 < all && binomial_up_to(misses + 1, all, 1 - share) <= 1 - confidence) ++misses;
  return misses;
}

int64_t images_to_promise(double share, double confidence) {
  return static_cast<int64_t>(std::ceil(std::log(1 - confidence) / std::log(share)));
}

Policy calibrate(const HeldOut& held_out, std::span<const std::string> names,
                 const Wishes& wishes) {
  const auto good = std::ranges::count(wishes.good, true);
  require(good > 0 && good < std::ssize(names), "calibrate",
          "expected one class at least that is good and one that is not, got {} good of {}", good,
          names.size());
  require(std::ranges::all_of(held_out.logits, [](float logit) { return std::isfinite(logit); }),
          "calibrate", "expected finite logits: the network's are not");
  Policy policy{.temperature = static_cast<float>(fit_temperature(held_out)), .classes = {}};
  const auto all = all_probabilities(held_out, policy.temperature);
  for (size_t c = 0; c < names.size(); ++c) {
    ClassRule rule{.name = names[c], .good = wishes.good[c]};
    if (!rule.good) {
      require(std::ranges::count(held_out.labels, static_cast<int>(c)) > 0, "calibrate",
              "expected images of '{}', got none", printable(names[c]));
      rule.clear_below = clear_below(held_out, all, wishes, c);
      rule.reject_from = reject_from(held_out, all, wishes, c);
    }
    policy.classes.push_back(std::move(rule));
  }
  return policy;
}

std::vector<ClassOutcome> outcomes(const HeldOut& held_out, const Policy& policy) {
  std::vector<ClassOutcome> all(held_out.classes);
  for (size_t i = 0; i < held_out.images(); ++i) {
    ClassOutcome& one = all[static_cast<size_t>(held_out.labels[i])];
    ++one.images;
    const Verdict verdict = decide(held_out.row(i), policy).verdict;
    ++(verdict == Verdict::ok       ? one.passed
       : verdict == Verdict::reject ? one.rejected
                                    : one.reviewed);
  }
  return all;
}

}  // namespace edgeprune::station
