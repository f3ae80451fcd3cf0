#include "tools/measurement/logit_difference.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "tools/measurement/infer.h"

namespace edgeprune {
namespace {

constexpr double kTolerance = 1e-4;

}  // namespace

bool LogitDifference::is_rounding() const {
  return largest <= kTolerance * std::max(1.0, largest_logit);
}

LogitDifference compare_logits(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape(), "compare_logits", "shapes differ: {} and {}", a.shape(),
          b.shape());
  const int64_t images = a.dim(0), classes = a.dim(1);
  LogitDifference result{.images = images};
  for (int64_t i = 0; i < a.count(); ++i) {
    const double difference = std::abs(double(a.data()[i]) - b.data()[i]);
    // A NaN is larger than all, and stays.
    if (!std::isnan(result.largest) && !(difference <= result.largest)) result.largest = difference;
    result.largest_logit = std::max(result.largest_logit, std::abs(double(a.data()[i])));
  }
  const double tolerance = kTolerance * std::max(1.0, result.largest_logit);
  for (int64_t n = 0; n < images; ++n) {
    const float *left = a.data() + n * classes, *right = b.data() + n * classes;
    const auto before = std::max_element(left, left + classes) - left;
    const auto after = std::max_element(right, right + classes) - right;
    if (before == after) continue;
    ++result.labels_changed;
    result.ties += left[before] - left[after] <= 2 * tolerance;
  }
  return result;
}

LogitDifference compare_logits(const nn::Network& a, const nn::Network& b, const ModelInfo& info,
                               const Dataset& dataset, int64_t batch) {
  const Graph &left = a.graph(), &right = b.graph();
  require(left.input_size() == right.input_size() && left.classes() == right.classes(),
          "compare_logits", "the models have {} and {} classes, {} and {} pixels", left.classes(),
          right.classes(), left.input_size(), right.input_size());
  const auto logits = [&](const nn::Network& model) {
    return infer("compare", model, info, dataset, inference::Engine::dense, batch).logits;
  };
  return compare_logits(logits(a), logits(b));
}

}  // namespace edgeprune
