#include "engine/kernels/simd/partial_sums.h"

#include <algorithm>

#include "engine/base/parallel.h"

namespace edgeprune::simd {

PartSums::PartSums(int64_t channels) {
  const auto count = static_cast<size_t>(channels);
  constexpr size_t kDouble = sizeof(double) / sizeof(float);
  memory_ = allocate_floats(kDouble * (2 * count + 1) + 2 * count);
  auto* sums = reinterpret_cast<double*>(memory_.get());
  first = {sums, count};
  second = {sums + count, count};
  rows_in_block_ = reinterpret_cast<int64_t*>(sums + 2 * count);
  block = {memory_.get() + kDouble * (2 * count + 1), 2 * count};
}

void PartSums::clear() {
  std::fill(first.begin(), first.end(), 0.0);
  std::fill(second.begin(), second.end(), 0.0);
  std::fill(block.begin(), block.end(), 0.0f);
  *rows_in_block_ = 0;
  begun_ = true;
}

void PartSums::flush() {
  begin();
  if (*rows_in_block_ == 0) return;  // its thread has flushed already
  take_over();
  *rows_in_block_ = 0;
}

void PartSums::take_over() {
  const size_t channels = first.size();
  for (size_t c = 0; c < channels; ++c) first[c] += block[c];
  for (size_t c = 0; c < channels; ++c) second[c] += block[channels + c];
  std::fill(block.begin(), block.end(), 0.0f);
}

void combine(std::vector<PartMoments> parts, const Moments& moments) {
  const size_t channels = parts.front().sums.first.size();
  int64_t rows = 0;
  for (PartMoments& part : parts) {
    if (part.rows > 0) part.sums.flush();
    rows += part.rows;
  }
  const std::vector<float> origin = parts.front().origin;
  std::vector<double> mean(channels, 0.0), squares(channels, 0.0);
  for (const PartMoments& part : parts) {
    if (part.rows == 0) continue;
    const auto count = static_cast<double>(part.rows);
    for (size_t c = 0; c < channels; ++c) {
      mean[c] += part.sums.first[c] + count * (double(part.origin[c]) - origin[c]);
    }
  }
  for (size_t c = 0; c < channels; ++c) mean[c] = origin[c] + mean[c] / static_cast<double>(rows);
  for (const PartMoments& part : parts) {
    if (part.rows == 0) continue;
    const auto count = static_cast<double>(part.rows);
    for (size_t c = 0; c < channels; ++c) {
      const double own = part.sums.first[c] / count;  // this part's mean, from its origin
      const double away = part.origin[c] + own - mean[c];
      squares[c] += part.sums.second[c] - own * part.sums.first[c] + count * away * away;
    }
  }
  for (size_t c = 0; c < channels; ++c) {
    moments.mean[c] = static_cast<float>(mean[c]);
    moments.variance[c] = static_cast<float>(std::max(0.0, squares[c] / static_cast<double>(rows)));
  }
}

void combine(std::vector<PartSums> parts, const GradientSums& sums) {
  PartSums& all = parts.front();
  const size_t channels = all.first.size();
  for (PartSums& part : parts) {
    part.flush();
    if (&part == &all) continue;
    for (size_t c = 0; c < channels; ++c) all.first[c] += part.first[c];
    for (size_t c = 0; c < channels; ++c) all.second[c] += part.second[c];
  }
  for (size_t c = 0; c < channels; ++c) {
    sums.sum_grad[c] = static_cast<float>(all.first[c]);
    sums.sum_grad_input[c] = static_cast<float>(all.second[c]);
  }
}

Shares::Shares(int pieces, int64_t count, float* sum) : pieces_(pieces), count_(count), sum_(sum) {
  constexpr int64_t kSeparateFloats = kSeparate / sizeof(float);
  stride_ = (count + kSeparateFloats - 1) / kSeparateFloats * kSeparateFloats;
  if (sum != nullptr) others_ = allocate_floats(static_cast<size_t>((pieces - 1) * stride_));
}

void Shares::add_up() const {
  if (sum_ == nullptr) return;
  parallel_for(count_, 16 * 1024 / pieces_, [&](int64_t begin, int64_t end, int) {
    for (int piece = 1; piece < pieces_; ++piece) {
      const float* from = (*this)[piece];
      for (int64_t i = begin; i < end; ++i) sum_[i] += from[i];
    }
  });
}

std::vector<float> rough_mean(const float* input, int64_t rows, int64_t channels) {
  const int64_t samples = std::min<int64_t>(rows, 16);
  std::vector<float> mean(channels, 0.0f);
  for (int64_t i = 0; i < samples; ++i) {
    const float* row = input + (2 * i + 1) * rows / (2 * samples) * channels;
    for (int64_t c = 0; c < channels; ++c) mean[c] += row[c];
  }
  for (float& value : mean) value /= static_cast<float>(samples);
  return mean;
}

}  // namespace edgeprune::simd
