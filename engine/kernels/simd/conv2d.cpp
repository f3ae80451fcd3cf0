#include "engine/kernels/simd/conv2d.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/base/buffer.h"
#include "engine/base/check.h"
#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/conv2d.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/gemm-inl.h"

#ifndef EDGEPRUNE_CONV2D_ONCE
#define EDGEPRUNE_CONV2D_ONCE
namespace edgeprune::simd {

/// A line of the output and what it reads: one of its image's lines; of 1x1 convolutions on maps
/// narrower than a register tile, all pixels of all images.
struct ConvLines {
  explicit ConvLines(const Conv2dShape& s)
      : merged(s.pointwise() && s.out_width() < 8),
        in_place(s.padding == 0 && s.kernel == 1),
        count(merged ? 1 : s.batch * s.out_height()),
        width(merged ? s.batch * s.out_height() * s.out_width() : s.out_width()),
        padded(s.in_width + 2 * s.padding) {}
  bool merged, in_place;  ///< in place: nothing is padded
  int64_t count, width, padded;

  int64_t scratch(const Conv2dShape& s) const {
    return in_place ? 0 : s.kernel * padded * s.in_channels;
  }
};

/// Lines [first, first + lines) of all images' output lines.
struct ConvBlock {
  const Conv2dShape& shape;
  const ConvLines& geometry;
  const float *input, *weights, *bias, *residual;
  Activation activation;
  float *output, *scratch;
  int64_t first, lines;
};

/// On lines (of the block) or panels [begin, end).
using ConvStage = void (*)(const ConvBlock& block, int64_t begin, int64_t end);

struct Conv2dKernel {
  int64_t (*weights_size)(int64_t rows, int64_t columns);
  int64_t (*panels)(int64_t columns);
  void (*pack)(const float* matrix, int64_t rows, int64_t columns, float* packed);
  ConvStage pad, multiply;
};

}  // namespace edgeprune::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// Each line's k input lines, between zeros, into the block's scratch.
void pad_conv_lines(const ConvBlock& b, int64_t begin, int64_t end) {
  const Conv2dShape& s = b.shape;
  const int64_t line = s.in_width * s.in_channels, margin = s.padding * s.in_channels;
  float* to = b.scratch + begin * b.geometry.scratch(s);
  for (int64_t i = b.first + begin; i < b.first + end; ++i) {
    const float* image = b.input + i / s.out_height() * s.in_height * line;
    const int64_t top = i % s.out_height() * s.stride - s.padding;
    for (int64_t y = top; y < top + s.kernel; ++y, to += line + 2 * margin) {
      const bool exists = y >= 0 && y < s.in_height;
      std::fill_n(to, margin, 0.0f);
      if (exists) std::copy_n(image + y * line, line, to + margin);
      if (!exists) std::fill_n(to + margin, line, 0.0f);
      std::fill_n(to + margin + line, margin, 0.0f);
    }
  }
}

/// What a register tile works on.
struct ConvTile {
  const float* input;                ///< of the first pixel's window
  int64_t step, stretch, next_line;  ///< to the next pixel; floats of a window's line; to the next
  int64_t kernel;                    ///< lines of a window
  const float* weights;
  const float* ahead;  ///< weights to fetch, so many cache lines for every kTile floats
  int64_t ahead_lines;
  const float *bias, *residual;  ///< residual may be null
  float* output;
  int64_t channels;  ///< from a pixel of the output to the next
  Partial last;      ///< of the vectors
  bool last_is_partial;
  ActivationForm activation;
};

template <int kRows, int kVectors>
void conv_tile(const ConvTile& t) {
  const F32 d;
  Vec sum[kRows][kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const float* from = t.bias + v * kLanes;
    const Vec bias =
        v == kVectors - 1 && t.last_is_partial ? t.last.load(from) : hn::LoadU(d, from);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sum[r][v] = bias;
  }
  const float *b = t.weights, *ahead = t.ahead;
  const auto add_products = [&](const float* const(&a)[kRows], int64_t k) HWY_ATTR {
    Vec right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * kLanes);
    b += kVectors * kLanes;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec left = hn::Set(d, a[r][k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
  };
  const float* line = t.input;
  for (int64_t y = 0; y < t.kernel; ++y, line += t.next_line) {
    const float* a[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) a[r] = line + r * t.step;
    int64_t k = 0;
    for (; k + kTile <= t.stretch; k += kTile) {
      for (int64_t i = 0; i < t.ahead_lines; ++i, ahead += 16) __builtin_prefetch(ahead);
#pragma GCC unroll 8
      for (int j = 0; j < kTile; ++j) add_products(a, k + j);
    }
    for (; k < t.stretch; ++k) add_products(a, k);
  }
  with_activation(t.activation, [&](const auto& activate) HWY_ATTR {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = r * t.channels + v * kLanes;
        Vec y = sum[r][v];
        if (v == kVectors - 1 && t.last_is_partial) {
          if (t.residual != nullptr) y = hn::Add(y, t.last.load(t.residual + at));
          t.last.store(activate(y), t.output + at);
        } else {
          if (t.residual != nullptr) y = hn::Add(y, hn::LoadU(d, t.residual + at));
          hn::StoreU(activate(y), d, t.output + at);
        }
      }
    }
  });
}

using ConvTileFunction = void (*)(const ConvTile&);
template <int kVectors, int... kIndex>
constexpr auto conv_tiles(std::integer_sequence<int, kIndex...>) {
  return std::array<ConvTileFunction, sizeof...(kIndex)>{conv_tile<kIndex + 1, kVectors>...};
}
/// conv_tile() for 1, 2, 3 vectors and 1, 2 ... rows at index 0, 1 ...
constexpr std::array kConvTiles{conv_tiles<1>(std::make_integer_sequence<int, kTileRows>()),
                                conv_tiles<2>(std::make_integer_sequence<int, kTileRows>()),
                                conv_tiles<3>(std::make_integer_sequence<int, kTileRows>())};

/// The block's lines, all of them, by these panels of the weights.
void multiply_conv_panels(const ConvBlock& b, int64_t begin, int64_t end) {
  const Conv2dShape& s = b.shape;
  const ConvLines& g = b.geometry;
  const int64_t step = s.stride * s.in_channels, rows = s.kernel * s.kernel * s.in_channels;
  const Panels weights{const_cast<float*>(b.weights), rows, s.out_channels};
  const int64_t groups = (g.width + kTileRows - 1) / kTileRows, tiles = groups * b.lines;
  for (int64_t panel = begin; panel < end; ++panel) {
    const int64_t vectors = weights.panel_vectors(panel);
    const int64_t column = weights.first_vector(panel) * kLanes;
    const int64_t columns = std::min(vectors * kLanes, s.out_channels - column);
    // The next panel is fetched while this one is worked on, unless that happens too often to matter.
    const int64_t step_lines = (kTile * vectors * kLanes + 15) / 16;
    const int64_t ahead_lines = tiles <= step_lines ? (step_lines + tiles - 1) / tiles : 0;
    const int64_t panel_size = whole_tiles(rows) * kTile * vectors * kLanes;
    ConvTile tile{.input = nullptr,
                  .step = step,
                  .stretch = s.kernel * s.in_channels,
                  .next_line = g.padded * s.in_channels,
                  .kernel = s.kernel,
                  .weights = weights.panel(panel),
                  .ahead = weights.panel(panel) + panel_size,
                  .ahead_lines = ahead_lines,
                  .bias = b.bias + column,
                  .residual = nullptr,
                  .output = nullptr,
                  .channels = s.out_channels,
                  .last = Partial(static_cast<size_t>(columns % kLanes)),
                  .last_is_partial = columns % kLanes != 0,
                  .activation = form_of(b.activation)};
    for (int64_t i = 0; i < b.lines; ++i) {
      const int64_t line = b.first + i;
      const float* input = b.scratch + i * g.scratch(s);
      if (g.in_place) {
        const int64_t y = line / s.out_height() * s.in_height + line % s.out_height() * s.stride;
        input = b.input + y * s.in_width * s.in_channels;
      }
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t x = g.width * group / groups, pixels = g.width * (group + 1) / groups - x;
        const int64_t at = (line * g.width + x) * s.out_channels + column;
        tile.input = input + x * step;
        tile.output = b.output + at;
        tile.residual = b.residual == nullptr ? nullptr : b.residual + at;
        kConvTiles[static_cast<size_t>(vectors - 1)][static_cast<size_t>(pixels - 1)](tile);
        tile.ahead += ahead_lines * 16 * (rows / kTile);
      }
    }
  }
}

int64_t conv_panels(int64_t columns) {
  return Panels{nullptr, 1, columns}.count();
}

void pack_conv(const float* matrix, int64_t rows, int64_t columns, float* packed) {
  const Panels panels{packed, rows, columns};
  parallel_for(panels.count(), 1, [&](int64_t begin, int64_t end, int) {
    pack_transposed(matrix, panels, begin, end);
  });
}

constexpr Conv2dKernel kConv2d{Panels::size, conv_panels, pack_conv, pad_conv_lines,
                               multiply_conv_panels};

const Conv2dKernel* conv2d_kernel() {
  return &kConv2d;
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(conv2d_kernel);

Conv2d::Conv2d(const Conv2dShape& shape, const float* weights, const float* bias,
               Activation activation)
    : shape_(shape), activation_(activation), threads_(thread_count()) {
  require(shape.groups == 1, "Conv2d", "expected a convolution of one group, got {}", shape.groups);
  kernel_ = HWY_DYNAMIC_DISPATCH(conv2d_kernel)();
  const ConvLines lines(shape);
  lines_ = lines.count;
  line_scratch_ = lines.scratch(shape);
  // So many that weights are read seldom, and that what a block reads stays in the second-level cache.
  constexpr int64_t kPixels = 64, kFloats = 64 * 1024;
  const int64_t line_floats =
      std::max<int64_t>(1, std::max(line_scratch_, lines.width * shape.kernel * shape.in_channels));
  block_lines_ = std::clamp((kPixels + lines.width - 1) / lines.width, int64_t{1}, lines_);
  block_lines_ = std::clamp(kFloats / line_floats, block_lines_, lines_);
  // Of few lines, threads share the weights, the larger part.
  shared_ = threads_ > 1 && lines_ < threads_ * block_lines_;
  if (shared_) threads_ = 1, block_lines_ = lines_;

  const int64_t taps = shape.kernel * shape.kernel, rows = taps * shape.in_channels;
  panels_ = kernel_->panels(shape.out_channels);
  weight_floats_ = kernel_->weights_size(rows, shape.out_channels);
  const auto matrix = allocate_floats(static_cast<size_t>(shape.weight_count()));
  float* to = matrix.get();
  for (int64_t o = 0; o < shape.out_channels; ++o) {  // [O,I,k,k] to [O,k,k,I]
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t i = 0; i < shape.in_channels; ++i) {
        *to++ = weights[(o * shape.in_channels + i) * taps + tap];
      }
    }
  }
  const auto packed = allocate_floats(static_cast<size_t>(weight_floats_));
  kernel_->pack(matrix.get(), rows, shape.out_channels, packed.get());
  weights_ = packed;
  const auto own_bias = allocate_floats(static_cast<size_t>(shape.out_channels));
  std::copy_n(bias, shape.out_channels, own_bias.get());
  bias_ = own_bias;
}

void Conv2d::run(const float* input, const float* residual, float* output, float* scratch) const {
  const ConvLines lines(shape_);
  const auto run_block = [&](int64_t first, int64_t count, float* own_scratch) {
    const ConvBlock block{shape_,      lines,  input,       weights_.get(), bias_.get(), residual,
                          activation_, output, own_scratch, first,          count};
    const auto run_stage = [&](int64_t items, ConvStage stage) {
      parallel_for(items, 1, [&](int64_t begin, int64_t end, int) { stage(block, begin, end); });
    };
    if (!lines.in_place) run_stage(count, kernel_->pad);
    run_stage(panels_, kernel_->multiply);
  };
  if (shared_) return run_block(0, lines_, scratch);
  const ThreadScope most(std::min(threads_, thread_count()));
  parallel_for(lines_, 1, [&](int64_t begin, int64_t end, int part) {
    const ThreadScope one(1);
    float* own_scratch = scratch + part * block_lines_ * line_scratch_;
    for (int64_t first = begin; first < end; first += block_lines_) {
      run_block(first, std::min(block_lines_, end - first), own_scratch);
    }
  });
}

}  // namespace edgeprune::simd
#endif
