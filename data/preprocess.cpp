#include "data/preprocess.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

void blend(const float* near, const float* far, float weight, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = near[i] + weight * (far[i] - near[i]);
}

}  // namespace

Preprocessor::Preprocessor(int input_size, const Normalisation& normalisation)
    : input_size_(input_size) {
  require(input_size >= 1, "preprocess", "input size must be at least 1, got {}", input_size);
  for (size_t c = 0; c < 3; ++c) {
    require(normalisation.std[c] > 0, "preprocess", "std must be positive, channel {} has {}", c,
            normalisation.std[c]);
    // Bilinear weights sum to one, so normalising first is the same as normalising last.
    scale_[c] = static_cast<float>(1.0 / (255.0 * normalisation.std[c]));
    shift_[c] = -normalisation.mean[c] / normalisation.std[c];
  }
}

Preprocessor::Taps Preprocessor::make_taps(int from, int to, int channels) {
  Taps taps;
  const float ratio = static_cast<float>(from) / static_cast<float>(to);
  for (int i = 0; i < to; ++i) {
    const float centre = std::max(ratio * (static_cast<float>(i) + 0.5f) - 0.5f, 0.0f);
    const int near = std::min(static_cast<int>(centre), from - 1);
    const int far = std::min(near + 1, from - 1);
    for (int c = 0; c < channels; ++c) {
      taps.near.push_back(near * channels + c);
      taps.far.push_back(far * channels + c);
      taps.weight.push_back(centre - static_cast<float>(near));
    }
  }
  return taps;
}

void Preprocessor::prepare_for(int height, int width) {
  if (height == height_ && width == width_) return;
  rows_ = make_taps(height, input_size_, 1);
  columns_ = make_taps(width, input_size_, 3);
  source_row_.resize(static_cast<size_t>(width) * 3);
  near_.resize(static_cast<size_t>(input_size_) * 3);
  far_.resize(static_cast<size_t>(input_size_) * 3);
  height_ = height;
  width_ = width;
}

void Preprocessor::resize_row(const uint8_t* source, float* out) {
  float* row = source_row_.data();
  for (int x = 0; x < width_; ++x) {
    for (int c = 0; c < 3; ++c) {
      row[3 * x + c] = static_cast<float>(source[3 * x + c]) * scale_[c] + shift_[c];
    }
  }
  const int* near = columns_.near.data();
  const int* far = columns_.far.data();
  const float* weight = columns_.weight.data();
  for (int i = 0; i < 3 * input_size_; ++i) {
    out[i] = row[near[i]] + weight[i] * (row[far[i]] - row[near[i]]);
  }
}

void Preprocessor::operator()(const Image& image, std::span<float> out) {
  const int64_t pixels = int64_t{image.height} * image.width;
  require(
      image.height > 0 && image.width > 0 && static_cast<int64_t>(image.rgb.size()) == pixels * 3,
      "preprocess", "image of {} x {} pixels has {} bytes, {} expected", image.width, image.height,
      image.rgb.size(), pixels * 3);
  const int64_t row_length = int64_t{3} * input_size_;
  require(static_cast<int64_t>(out.size()) == row_length * input_size_, "preprocess",
          "output has {} values, {} expected", out.size(), row_length * input_size_);
  prepare_for(image.height, image.width);

  // Neighbouring output rows blend the same source rows: each source row is resized once, when it
  // is first needed.
  int near = -1, far = -1;
  for (int y = 0; y < input_size_; ++y) {
    const auto source_row = [&](int row) { return image.rgb.data() + int64_t{3} * row * width_; };
    if (near != rows_.near[y] && far == rows_.near[y]) {
      near_.swap(far_);
      std::swap(near, far);
    }
    if (near != rows_.near[y]) resize_row(source_row(near = rows_.near[y]), near_.data());
    if (far != rows_.far[y]) resize_row(source_row(far = rows_.far[y]), far_.data());
    blend(near_.data(), far_.data(), rows_.weight[y], row_length, out.data() + y * row_length);
  }
}

}  // namespace edgeprune
