#include "engine/kernels/int8/conv2d.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/parallel.h"

namespace edgeprune::int8 {
namespace {

/// [O,I,k,k] to [O,k,k,pixel], the order of a patch.
std::vector<int8_t> in_order_of_patches(const int8_t* weights, const Conv2dShape& s,
                                        int64_t pixel) {
  require(s.groups == 1, "int8 conv2d", "expected one group, got {}", s.groups);
  const int64_t taps = s.kernel * s.kernel;
  std::vector<int8_t> ordered(static_cast<size_t>(s.out_channels * taps * pixel), 0);
  for (int64_t o = 0; o < s.out_channels; ++o) {
    for (int64_t i = 0; i < s.in_channels; ++i) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        ordered[static_cast<size_t>((o * taps + tap) * pixel + i)] =
            weights[(o * s.in_channels + i) * taps + tap];
      }
    }
  }
  return ordered;
}

PointwiseWeights pack_patches(const RowNumbers& numbers, const Conv2dShape& s, const Grid& input,
                              int64_t pixel) {
  const std::vector<int8_t> ordered = in_order_of_patches(numbers.weights, s, pixel);
  return {{ordered.data(), numbers.bias, numbers.multipliers},
          s.out_channels,
          s.kernel * s.kernel * pixel,
          input.highest};
}

/// Patches of an output row, one behind another.
struct PatchRow {
  const Conv2dShape& s;
  const uint8_t* map;
  int64_t pixel, y;
  uint8_t padding;

  /// kBytes: of a row of a patch, where the compiler knows it; 0: any.
  template <int64_t kBytes>
  void copy(uint8_t* to) const {
    const int64_t bytes = kBytes > 0 ? kBytes : s.kernel * pixel;
    for (int64_t x = 0; x < s.out_width(); ++x) {
      const int64_t left = x * s.stride - s.padding;
      for (int64_t k = 0; k < s.kernel; ++k, to += bytes) {
        const int64_t h = y * s.stride - s.padding + k;
        const uint8_t* row = map + h * s.in_width * pixel;
        if (h < 0 || h >= s.in_height) {
          std::memset(to, padding, static_cast<size_t>(bytes));
        } else if (left >= 0 && left + s.kernel <= s.in_width) {
          std::memcpy(to, row + left * pixel, static_cast<size_t>(bytes));
        } else {
          const int64_t first = std::clamp<int64_t>(-left, 0, s.kernel);
          const int64_t last = std::clamp<int64_t>(s.in_width - left, first, s.kernel);
          std::memset(to, padding, static_cast<size_t>(bytes));
          std::memcpy(to + first * pixel, row + (left + first) * pixel,
                      static_cast<size_t>((last - first) * pixel));
        }
      }
    }
  }
};

}  // namespace

Conv2dWeights::Conv2dWeights(const RowNumbers& numbers, const Conv2dShape& shape, const Grid& input,
                             int64_t input_pixel)
    : rows_(pack_patches(numbers, shape, input, input_pixel)),
      kernel_(shape.kernel),
      input_pixel_(input_pixel),
      padding_(static_cast<uint8_t>(input.zero_point)) {}

int64_t conv2d_scratch_size(const Conv2dWeights& weights, const Conv2dShape& shape) {
  return (shape.out_width() * weights.depth() + 127) / 128 * 128;  // threads' own cache lines
}

void conv2d(const Conv2dWeights& weights, const Conv2dShape& shape, const uint8_t* input,
            const QuantizedResidual& residual, const Grid& output, uint8_t* scratch, uint8_t* to) {
  constexpr int64_t kStemBytes = 12;  // of three taps of a colour image
  const int64_t height = shape.out_height(), width = shape.out_width();
  const int64_t pixel = weights.input_pixel(), size = conv2d_scratch_size(weights, shape);
  const int64_t row_bytes = width * pixel_bytes(shape.out_channels);
  parallel_for(shape.batch * height, 4, [&](int64_t begin, int64_t end, int part) {
    uint8_t* patches = scratch + part * size;
    for (int64_t row = begin; row < end; ++row) {
      const uint8_t* map = input + row / height * shape.in_height * shape.in_width * pixel;
      const PatchRow patch_row{shape, map, pixel, row % height, weights.padding()};
      if (shape.kernel * pixel == kStemBytes) {
        patch_row.copy<kStemBytes>(patches);
      } else {
        patch_row.copy<0>(patches);
      }
      QuantizedResidual own = residual;
      if (own.data != nullptr) own.data += row * row_bytes;
      pointwise_alone(weights.rows(), {patches, width, weights.depth()}, own, output,
                      to + row * row_bytes);
    }
  });
}

}  // namespace edgeprune::int8
