#pragma once
// The convolutions that kernels are tested on.

#include <fmt/format.h>

#include <ostream>
#include <string>
#include <vector>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune {

inline void PrintTo(const Conv2dShape& s, std::ostream* out) {
  *out << fmt::format("[{},{},{},{}] -> {} channels, kernel {}, stride {}, padding {}, groups {}",
                      s.batch, s.in_height, s.in_width, s.in_channels, s.out_channels, s.kernel,
                      s.stride, s.padding, s.groups);
}

namespace testing {

inline Conv2dShape pointwise_shape(int64_t size, int64_t in, int64_t out) {
  return {.in_height = size, .in_width = size, .in_channels = in, .out_channels = out};
}

inline Conv2dShape depthwise_shape(int64_t height, int64_t width, int64_t channels,
                                   int64_t stride) {
  return {.in_height = height,
          .in_width = width,
          .in_channels = channels,
          .out_channels = channels,
          .kernel = 3,
          .stride = stride,
          .padding = 1,
          .groups = channels};
}

/// Every distinct convolution of MobileNetV2 at width 1 and 64x64, the head last; batch 1.
/// (tests/models/architecture_test.cpp holds this list against the model's own.)
inline std::vector<Conv2dShape> mobilenet_v2_shapes() {
  const auto pw = pointwise_shape;
  const auto dw = [](int64_t size, int64_t channels, int64_t stride) {
    return depthwise_shape(size, size, channels, stride);
  };
  const Conv2dShape stem{.in_height = 64,
                         .in_width = 64,
                         .in_channels = 3,
                         .out_channels = 32,
                         .kernel = 3,
                         .stride = 2,
                         .padding = 1};
  return {stem,
          dw(32, 32, 1),
          pw(32, 32, 16),
          pw(32, 16, 96),
          dw(32, 96, 2),
          pw(16, 96, 24),
          pw(16, 24, 144),
          dw(16, 144, 1),
          pw(16, 144, 24),
          dw(16, 144, 2),
          pw(8, 144, 32),
          pw(8, 32, 192),
          dw(8, 192, 1),
          pw(8, 192, 32),
          dw(8, 192, 2),
          pw(4, 192, 64),
          pw(4, 64, 384),
          dw(4, 384, 1),
          pw(4, 384, 64),
          pw(4, 384, 96),
          pw(4, 96, 576),
          dw(4, 576, 1),
          pw(4, 576, 96),
          dw(4, 576, 2),
          pw(2, 576, 160),
          pw(2, 160, 960),
          dw(2, 960, 1),
          pw(2, 960, 160),
          pw(2, 960, 320),
          pw(2, 320, 1280),
          pw(1, 1280, 10)};
}

/// Depthwise 3x3 on maps of one pixel, odd and even sides, with channels around the vectors'
/// length.
inline std::vector<Conv2dShape> odd_depthwise_shapes() {
  std::vector<Conv2dShape> shapes;
  for (const int64_t channels : {1, 3, 7, 13, 16, 17, 20, 24, 33}) {
    for (const int64_t stride : {1, 2}) {
      for (const auto& [height, width] :
           {std::pair{1, 1}, {2, 2}, {1, 4}, {3, 5}, {4, 5}, {5, 4}}) {
        shapes.push_back(depthwise_shape(height, width, channels, stride));
      }
    }
  }
  return shapes;
}

/// What else a convolution may be.
inline std::vector<Conv2dShape> odd_shapes() {
  std::vector<Conv2dShape> shapes{depthwise_shape(1, 1, 17, 1), depthwise_shape(4, 5, 33, 2)};
  for (const auto& [in, out] : {std::pair{1, 1}, {3, 7}, {17, 33}, {24, 1}}) {
    shapes.push_back(pointwise_shape(1, in, out));
    shapes.push_back(pointwise_shape(3, in, out));
    for (const int64_t stride : {1, 2}) {
      for (const auto& [height, width] : {std::pair{1, 1}, {4, 5}, {5, 4}}) {
        shapes.push_back({.in_height = height,
                          .in_width = width,
                          .in_channels = in,
                          .out_channels = out,
                          .kernel = 3,
                          .stride = stride,
                          .padding = 1});
      }
    }
  }
  const Conv2dShape map{.in_height = 6, .in_width = 5};
  Conv2dShape two_groups = map, no_padding = map, depthwise_5x5 = map, multiplier = map;
  two_groups.in_channels = 4, two_groups.out_channels = 6, two_groups.groups = 2;
  two_groups.kernel = 3, two_groups.padding = 1;
  no_padding.in_channels = 5, no_padding.out_channels = 4, no_padding.kernel = 3;
  depthwise_5x5.in_channels = depthwise_5x5.out_channels = depthwise_5x5.groups = 9;
  depthwise_5x5.kernel = 5, depthwise_5x5.padding = 2, depthwise_5x5.stride = 2;
  multiplier.in_channels = multiplier.groups = 3, multiplier.out_channels = 6;
  multiplier.kernel = 3, multiplier.padding = 1;
  shapes.insert(shapes.end(), {two_groups, no_padding, depthwise_5x5, multiplier});
  return shapes;
}

inline Conv2dShape conv_shape(int64_t batch, int64_t size, int64_t in, int64_t out, int64_t kernel,
                              int64_t stride) {
  return {batch, size, size, in, out, kernel, stride, kernel / 2, 1};
}

/// MobileNetV2's but for the depthwise ones, one of each kind of ResNets' and MobileNetV3's, and odd
/// ones: windows in the padding, channels around the vectors' and register tiles' lengths.
inline std::vector<Conv2dShape> ungrouped_shapes() {
  std::vector<Conv2dShape> result{
      conv_shape(1, 64, 3, 64, 7, 2),   conv_shape(1, 28, 64, 256, 1, 1),
      conv_shape(1, 28, 128, 64, 1, 2), conv_shape(1, 14, 128, 128, 3, 2),
      conv_shape(2, 7, 512, 100, 1, 1), conv_shape(16, 1, 288, 576, 1, 1),
      conv_shape(1, 112, 16, 16, 1, 1), conv_shape(1, 64, 3, 16, 3, 2),
      conv_shape(1, 14, 40, 240, 1, 1)};
  for (const auto& list : {mobilenet_v2_shapes(), odd_shapes()}) {
    for (Conv2dShape shape : list) {
      if (shape.groups == 1) shape.batch = 3, result.push_back(shape);
    }
  }
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t padding : {0, 1, 2, 5}) {
        for (const auto& [in, out] : {std::pair{1, 1}, {8, 50}, {5, 47}}) {
          result.push_back({2, 5, 7 + stride, in, out, kernel, stride, padding, 1});
        }
      }
    }
  }
  return result;
}

}  // namespace testing
}  // namespace edgeprune
