#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/station/drift/features.h"

namespace edgeprune::station {

/// What images were like when the model was released: drift is measured from here.
struct DriftReference {
  std::array<std::vector<float>, std::size(kFeatures)>
      values;               ///< each feature's, of all reference images, sorted
  std::vector<float> mean;  ///< of the thumbnails, [64,64]

  /// z such that a normal variable is below it as often as the reference is below `value`: a feature's values are as if drawn from
  /// a normal distribution then, whatever their own is. No further from 0 than the reference's ends say.
  double normal_score(Feature feature, float value) const;
  /// How far the mean of `values` is from the reference's, in the reference's standard deviations (Cohen's d).
  double effect_size(Feature feature, double mean_of_values) const;
};

/// Collects it, image by image.
class DriftReferenceBuilder {
 public:
  void add(const Image& image, float confidence);
  /// Throws std::invalid_argument if there were fewer than 100 images.
  DriftReference build() &&;

 private:
  DriftReference reference_;
  std::vector<double> sum_ = std::vector<double>(size_t{kThumbnail} * kThumbnail);
  size_t images_ = 0;
};

/// Of features 1000 quantiles at most are kept. Throws FileError("source: ...") on what reference_text() did not write.
std::string reference_text(const DriftReference& reference);
DriftReference parse_reference(std::string_view text, const std::string& source);

}  // namespace edgeprune::station
