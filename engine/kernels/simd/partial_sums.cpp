#include "engine/kernels/simd/partial_sums.h"

#include <algorithm>

namespace edgeprune::simd {

void PartSums::flush() {
  const size_t channels = first.size();
  for (size_t c = 0; c < channels; ++c) first[c] += block[c];
  for (size_t c = 0; c < channels; ++c) second[c] += block[channels + c];
  std::fill(block.begin(), block.end(), 0.0f);
  rows_in_block = 0;
}

void combine(std::vector<PartMoments> parts, const Moments& moments) {
  const size_t channels = parts.front().sums.first.size();
  int64_t rows = 0;
  for (PartMoments& part : parts) {
    part.sums.flush();
    rows += part.rows;
  }
  for (size_t c = 0; c < channels; ++c) {
    const double origin = parts.front().origin[c];
    double sum = 0;
    for (const PartMoments& part : parts) {
      if (part.rows > 0) sum += part.sums.first[c] + double(part.rows) * (part.origin[c] - origin);
    }
    const double mean = origin + sum / double(rows);
    double squares = 0;
    for (const PartMoments& part : parts) {
      if (part.rows == 0) continue;
      const double own =
          part.sums.first[c] / double(part.rows);  // this part's mean, from its origin
      const double away = part.origin[c] + own - mean;
      squares += part.sums.second[c] - own * part.sums.first[c] + double(part.rows) * away * away;
    }
    moments.mean[c] = static_cast<float>(mean);
    moments.variance[c] = static_cast<float>(std::max(0.0, squares / double(rows)));
  }
}

void combine(std::vector<PartSums> parts, const GradientSums& sums) {
  for (PartSums& part : parts) part.flush();
  for (size_t c = 0; c < parts.front().first.size(); ++c) {
    double first = 0, second = 0;
    for (const PartSums& part : parts) {
      first += part.first[c];
      second += part.second[c];
    }
    sums.sum_grad[c] = static_cast<float>(first);
    sums.sum_grad_input[c] = static_cast<float>(second);
  }
}

std::vector<float> rough_mean(const float* input, int64_t rows, int64_t channels) {
  const int64_t samples = std::min<int64_t>(rows, 16);
  std::vector<float> mean(channels, 0.0f);
  for (int64_t i = 0; i < samples; ++i) {
    const float* row = input + (2 * i + 1) * rows / (2 * samples) * channels;
    for (int64_t c = 0; c < channels; ++c) mean[c] += row[c] / static_cast<float>(samples);
  }
  return mean;
}

}  // namespace edgeprune::simd
