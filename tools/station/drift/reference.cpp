#include "tools/station/drift/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/strict_json.h"
#include "tools/station/drift/cusum.h"

namespace edgeprune::station {
namespace {

constexpr size_t kLeastImages = 100, kMostQuantiles = 1000;
constexpr size_t kThumbnailPixels = size_t{kThumbnail} * kThumbnail;

double mean_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<float>& values) {
  const double mean = mean_of(values);
  double squares = 0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

/// The sorted values, or so many of them at equal distances.
std::vector<float> thinned(const std::vector<float>& sorted) {
  if (sorted.size() <= kMostQuantiles) return sorted;
  std::vector<float> out;
  for (size_t i = 0; i < kMostQuantiles; ++i) {
    out.push_back(sorted[i * (sorted.size() - 1) / (kMostQuantiles - 1)]);
  }
  return out;
}

}  // namespace

double DriftReference::normal_score(Feature feature, float value) const {
  const auto& sorted = values[static_cast<size_t>(feature)];
  const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), value);
  const double below = static_cast<double>(first - sorted.begin()),
               equal = static_cast<double>(last - first);
  return normal_quantile((below + equal / 2 + 0.5) / (static_cast<double>(sorted.size()) + 1));
}

double DriftReference::effect_size(Feature feature, double mean_of_values) const {
  const auto& sorted = values[static_cast<size_t>(feature)];
  const double deviation = deviation_of(sorted), difference = mean_of_values - mean_of(sorted);
  if (deviation > 0) return difference / deviation;
  return difference == 0 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), difference);
}

void DriftReferenceBuilder::add(const Image& image, float confidence) {
  const Features features = features_of(image, confidence);
  for (size_t f = 0; f < features.size(); ++f) reference_.values[f].push_back(features[f]);
  const std::vector<float> small = thumbnail(image);
  for (size_t i = 0; i < small.size(); ++i) sum_[i] += small[i];
  ++images_;
}

DriftReference DriftReferenceBuilder::build() && {
  require(images_ >= kLeastImages, "drift", "expected {} reference images at least, got {}",
          kLeastImages, images_);
  for (auto& values : reference_.values) {
    std::sort(values.begin(), values.end());
    values = thinned(values);
  }
  for (const double sum : sum_)
    reference_.mean.push_back(static_cast<float>(sum / static_cast<double>(images_)));
  return std::move(reference_);
}

std::string reference_text(const DriftReference& reference) {
  nlohmann::ordered_json json;
  for (const auto& feature : kFeatures)
    json[feature.name] = reference.values[static_cast<size_t>(feature.value)];
  json["mean"] = reference.mean;
  return json_text(json) + "\n";
}

DriftReference parse_reference(std::string_view text, const std::string& source) {
  StrictObject json(parse_json(text, source), source);
  const auto take = [&](const char* key, std::vector<float>& to) {
    json.require_key(key);
    json.get_numbers(key, to, -1e9, 1e9, kThumbnailPixels);
  };
  DriftReference reference;
  for (const auto& feature : kFeatures) {
    auto& values = reference.values[static_cast<size_t>(feature.value)];
    take(feature.name, values);
    if (values.size() < kLeastImages || !std::is_sorted(values.begin(), values.end())) {
      json.fail(feature.name, fmt::format("expected {} sorted values at least", kLeastImages));
    }
  }
  take("mean", reference.mean);
  if (reference.mean.size() != kThumbnailPixels)
    json.fail("mean", fmt::format("expected {0}x{0} values", kThumbnail));
  json.finish();
  return reference;
}

}  // namespace edgeprune::station
