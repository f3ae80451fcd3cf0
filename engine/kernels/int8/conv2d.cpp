#include "engine/kernels/int8/conv2d.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/int8/elementwise.h"

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

/// Some rows of a map with padding around, of which patches are pieces: so small that they stay in the
/// first-level cache while they are multiplied.
struct Band {
  explicit Band(const Conv2dWeights& weights, const Conv2dShape& s)
      : row_bytes((s.in_width + 2 * s.padding) * weights.input_pixel()) {
    constexpr int64_t kBytes = 16384;
    const int64_t fit = (kBytes / row_bytes - s.kernel) / s.stride + 1;
    outputs = std::clamp<int64_t>(fit, 1, s.out_height());
  }
  int64_t rows(const Conv2dShape& s, int64_t made) const {
    return (made - 1) * s.stride + s.kernel;
  }
  int64_t row_bytes;
  int64_t outputs;  ///< rows of outputs that are made of it
};

/// `rows_of(image, top, count, to)`: where such rows of a map, padded, lie; it may write them to `to`.
template <typename RowsOf>
void convolve(const Conv2dWeights& weights, const Conv2dShape& s, int64_t row_bytes,
              const QuantizedResidual& residual, const Ending& output, uint8_t* scratch,
              uint8_t* to, const RowsOf& rows_of) {
  const int64_t height = s.out_height(), width = s.out_width();
  const int64_t pixel = weights.input_pixel(), size = conv2d_scratch_size(weights, s);
  const int64_t out_row = width * pixel_bytes(s.out_channels);
  const Band band(weights, s);
  parallel_for(s.batch * height, 4, [&](int64_t begin, int64_t end, int part) {
    while (begin < end) {
      const int64_t y = begin % height;
      const int64_t made = std::min({band.outputs, end - begin, height - y});
      const uint8_t* rows = rows_of(begin / height, y * s.stride - s.padding, band.rows(s, made),
                                    scratch + part * size);
      for (int64_t i = 0; i < made; ++i, ++begin, rows += s.stride * row_bytes) {
        QuantizedResidual own = residual;
        if (own.data != nullptr) own.data += begin * out_row;
        pointwise_alone(weights.rows(), {rows, width, s.stride * pixel, s.kernel, row_bytes}, own,
                        output, to + begin * out_row);
      }
    }
  });
}

/// Pads rows; `fill(image, row, to)` writes one of the map's.
template <typename Fill>
void convolve_padded(const Conv2dWeights& weights, const Conv2dShape& s,
                     const QuantizedResidual& residual, const Ending& output, uint8_t* scratch,
                     uint8_t* to, const Fill& fill) {
  const Band band(weights, s);
  const int64_t border = s.padding * weights.input_pixel();
  const auto pad = [&](uint8_t* at, int64_t bytes) {
    std::memset(at, weights.padding(), static_cast<size_t>(bytes));
  };
  const auto rows_of = [&](int64_t image, int64_t top, int64_t count, uint8_t* rows) {
    for (int64_t i = 0; i < count; ++i) {
      uint8_t* const row = rows + i * band.row_bytes;
      if (top + i < 0 || top + i >= s.in_height) {
        pad(row, band.row_bytes);
        continue;
      }
      pad(row, border);
      fill(image, top + i, row + border);
      pad(row + band.row_bytes - border, border);
    }
    return rows;
  };
  convolve(weights, s, band.row_bytes, residual, output, scratch, to, rows_of);
}

}  // namespace

Conv2dWeights::Conv2dWeights(const RowNumbers& numbers, const Conv2dShape& shape, const Grid& input,
                             int64_t input_pixel)
    : rows_(pack_patches(numbers, shape, input, input_pixel)),
      kernel_(shape.kernel),
      input_pixel_(input_pixel),
      padding_(static_cast<uint8_t>(input.zero_point)) {}

int64_t conv2d_scratch_size(const Conv2dWeights& weights, const Conv2dShape& shape) {
  const Band band(weights, shape);
  return (band.rows(shape, band.outputs) * band.row_bytes + 127) / 128 * 128;  // own cache lines
}

void conv2d(const Conv2dWeights& weights, const Conv2dShape& shape, const uint8_t* input,
            const QuantizedResidual& residual, const Ending& output, uint8_t* scratch,
            uint8_t* to) {
  const int64_t row = shape.in_width * weights.input_pixel();
  const auto at = [&](int64_t image, int64_t h) {
    return input + (image * shape.in_height + h) * row;
  };
  if (shape.padding == 0) {  // rows lie as they are read
    return convolve(weights, shape, row, residual, output, scratch, to,
                    [&](int64_t image, int64_t top, int64_t, uint8_t*) { return at(image, top); });
  }
  convolve_padded(weights, shape, residual, output, scratch, to,
                  [&](int64_t image, int64_t h, uint8_t* filled) {
                    std::memcpy(filled, at(image, h), static_cast<size_t>(row));
                  });
}

void conv2d_images(const Conv2dWeights& weights, const Conv2dShape& shape, const float* images,
                   const Grid& input, const Ending& output, uint8_t* scratch, uint8_t* to) {
  const int64_t row = shape.in_width * shape.in_channels;
  convolve_padded(weights, shape, {}, output, scratch, to,
                  [&](int64_t image, int64_t h, uint8_t* filled) {
                    quantize_alone(images + (image * shape.in_height + h) * row, shape.in_width,
                                   shape.in_channels, input, weights.input_pixel(), filled);
                  });
}

}  // namespace edgeprune::int8
