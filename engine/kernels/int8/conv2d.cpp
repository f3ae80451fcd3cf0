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

/// An output row and the rows of the map that it reads.
struct OutputRow {
  const Conv2dShape& s;
  const uint8_t* map;
  int64_t pixel, y;
  uint8_t padding;

  /// Outputs [first, last) whose patches lie inside of the map: they are multiplied where they are.
  struct Inside {
    int64_t first, last;
  };
  Inside inside() const {
    const int64_t top = y * s.stride - s.padding, width = s.out_width();
    if (top < 0 || top + s.kernel > s.in_height || s.in_width + s.padding < s.kernel) return {0, 0};
    const int64_t first = std::min((s.padding + s.stride - 1) / s.stride, width);
    return {first, std::clamp((s.in_width + s.padding - s.kernel) / s.stride + 1, first, width)};
  }
  const uint8_t* patch(int64_t x) const {
    return map + ((y * s.stride - s.padding) * s.in_width + x * s.stride - s.padding) * pixel;
  }

  /// Patches of outputs [first, last), padded, one behind another.
  void copy(int64_t first_x, int64_t last_x, uint8_t* to) const {
    const int64_t bytes = s.kernel * pixel;
    for (int64_t x = first_x; x < last_x; ++x) {
      const int64_t left = x * s.stride - s.padding;
      const int64_t first = std::clamp<int64_t>(-left, 0, s.kernel);
      const int64_t last = std::clamp<int64_t>(s.in_width - left, first, s.kernel);
      for (int64_t k = 0; k < s.kernel; ++k, to += bytes) {
        const int64_t h = y * s.stride - s.padding + k;
        if (h < 0 || h >= s.in_height) {
          std::memset(to, padding, static_cast<size_t>(bytes));
          continue;
        }
        if (last - first < s.kernel) std::memset(to, padding, static_cast<size_t>(bytes));
        std::memcpy(to + first * pixel, map + (h * s.in_width + left + first) * pixel,
                    static_cast<size_t>((last - first) * pixel));
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
            const QuantizedResidual& residual, const Ending& output, uint8_t* scratch,
            uint8_t* to) {
  const int64_t height = shape.out_height(), width = shape.out_width();
  const int64_t pixel = weights.input_pixel(), size = conv2d_scratch_size(weights, shape);
  const int64_t out_pixel = pixel_bytes(shape.out_channels);
  parallel_for(shape.batch * height, 4, [&](int64_t begin, int64_t end, int part) {
    uint8_t* const patches = scratch + part * size;
    for (int64_t i = begin; i < end; ++i) {
      const uint8_t* map = input + i / height * shape.in_height * shape.in_width * pixel;
      const OutputRow row{shape, map, pixel, i % height, weights.padding()};
      const auto multiply = [&](const Pixels& pixels, int64_t first) {
        const int64_t offset = (i * width + first) * out_pixel;
        QuantizedResidual own = residual;
        if (own.data != nullptr) own.data += offset;
        pointwise_alone(weights.rows(), pixels, own, output, to + offset);
      };
      const auto multiply_padded = [&](int64_t first, int64_t last) {
        if (first == last) return;
        row.copy(first, last, patches);
        multiply({patches, last - first, weights.depth()}, first);
      };
      const auto [first, last] = row.inside();
      multiply_padded(0, first);
      if (first < last) {
        multiply({row.patch(first), last - first, shape.stride * pixel, shape.kernel,
                  shape.in_width * pixel},
                 first);
      }
      multiply_padded(last, width);
    }
  });
}

}  // namespace edgeprune::int8
