#pragma once
// A policy from the logits of held-out images: the temperature that makes probabilities true, then thresholds for a
// wanted recall of each defect and a wanted precision of rejects.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tools/station/decision/policy.h"

namespace edgeprune::station {

/// Logits of held-out images, row by row, and what the images are.
struct HeldOut {
  std::span<const float> logits;  ///< [images,classes]
  std::span<const int> labels;    ///< [images]
  size_t classes = 0;

  size_t images() const { return labels.size(); }
  std::span<const float> row(size_t image) const {
    return logits.subspan(image * classes, classes);
  }
};

inline constexpr double kColdest = 0.05, kHottest = 20;

/// The temperature of least negative log likelihood (Guo et al. 2017), from kColdest to kHottest. Images that are all told
/// apart know no least one: the coldest.
double fit_temperature(const HeldOut& held_out);

/// How well probabilities at a temperature are meant.
struct Truth {
  double loss = 0;  ///< mean negative log likelihood
  /// Expected calibration error: the mean distance of confidence from accuracy, over 15 bins of confidence.
  double calibration_error = 0;
};
Truth truth_of(const HeldOut& held_out, double temperature);

/// One-sided lower bound (Clopper and Pearson 1934) of a share of which `hits` of `all` were seen: the true one is
/// higher with this confidence. 0 if there are none.
double lower_bound(int64_t hits, int64_t all, double confidence);

/// How many of `all` may be missed so that lower_bound() of the rest is still `share`; -1: not even none.
int64_t misses_allowed(int64_t all, double share, double confidence);

/// So many images that none missed promises `share`: ln(1 - confidence) / ln(share), 299 for 0.99.
int64_t images_to_promise(double share, double confidence);

struct Wishes {
  std::vector<bool> good;          ///< [classes]
  std::vector<double> recalls;     ///< [classes], of defects: the share that must not pass
  double reject_precision = 0.95;  ///< of what is rejected, the share that must be a defect's
  double confidence = 0.95;        ///< of the bounds on recalls
};

/// `clear_below` of a defect lets as many of its images pass as misses_allowed(), or none if that is too few to promise
/// anything: as low as the lowest score. (Choosing the threshold by the images does not spoil the bound: the share
/// below the k-th lowest of n scores is Beta(k, n - k + 1), which Clopper's and Pearson's bound with k - 1 misses is made
/// from.) `reject_from` is the lowest score, from one half on, so that no two defects can claim an item, above which
/// the precision holds. Throws std::invalid_argument on a class of defects without images, or of no class good.
Policy calibrate(const HeldOut& held_out, std::span<const std::string> names, const Wishes& wishes);

/// What a policy makes of the images of one class.
struct ClassOutcome {
  int64_t images = 0, passed = 0, rejected = 0, reviewed = 0;
};
std::vector<ClassOutcome> outcomes(const HeldOut& held_out, const Policy& policy);

}  // namespace edgeprune::station
