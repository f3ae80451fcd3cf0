#pragma once
// From an 8-bit image to a network's input, with PyTorch's arithmetic: uint8 / 255, then
// torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=False), then
// (x - mean) / std.

#include <array>
#include <span>
#include <vector>

#include "data/image.h"

namespace edgeprune {

/// Per channel (red, green, blue), of values in [0, 1].
struct Normalisation {
  std::array<float, 3> mean{0, 0, 0};
  std::array<float, 3> std{1, 1, 1};
};

/// What torchvision's ImageNet weights were trained with.
inline Normalisation imagenet_normalisation() {
  return {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
}

/// Resizes and normalises images for one input size. Keeps tables and scratch rows between calls:
/// one object a thread.
class Preprocessor {
 public:
  /// Throws std::invalid_argument unless input_size >= 1 and every std > 0.
  Preprocessor(int input_size, const Normalisation& normalisation);

  /// Writes [S, S, 3] with S = input_size. An image that is not square is stretched to one. Throws
  /// std::invalid_argument if the image is empty or its pixels do not fit its size, or `out` has
  /// another length.
  void operator()(const Image& image, std::span<float> out);

 private:
  /// Output element i is near + weight * (far - near).
  struct Taps {
    std::vector<int> near, far;
    std::vector<float> weight;
  };
  static Taps make_taps(int from, int to, int channels);
  void prepare_for(int height, int width);
  void resize_row(const uint8_t* source, float* out);

  int input_size_;
  std::array<float, 3> scale_, shift_;

  int height_ = 0, width_ = 0;     ///< the source size that the members below are for
  Taps rows_;                      ///< an element a row
  Taps columns_;                   ///< an element a column and channel
  std::vector<float> source_row_;  ///< [width, 3], normalised
  std::vector<float> near_, far_;  ///< [S, 3], source rows resized to the output's width
};

}  // namespace edgeprune
