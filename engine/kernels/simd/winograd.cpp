#include "engine/kernels/simd/winograd.h"

#include <algorithm>

#include "engine/base/buffer.h"
#include "engine/base/check.h"
#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/winograd.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/gemm-inl.h"
#include "engine/kernels/simd/winograd-inl.h"

#ifndef EDGEPRUNE_WINOGRAD_ONCE
#define EDGEPRUNE_WINOGRAD_ONCE
namespace edgeprune::simd {

/// Some tiles of all images' tiles, a thread's work or all threads'.
struct WinogradBlock {
  const Conv2dShape& shape;
  const float *input, *weights, *bias, *residual;
  Activation activation;
  float* output;
  float* scratch;  ///< a position after the other: the transformed input, then the products
  int64_t first, tiles;
};

/// Each on tiles (of the block) or positions [begin, end).
using WinogradStage = void (*)(const WinogradBlock& block, int64_t begin, int64_t end);

/// All that depends on the instruction set and the tile.
struct WinogradKernel {
  int64_t positions;
  int64_t (*input_size)(int64_t tiles, int64_t channels);      ///< of a position, in floats
  int64_t (*weights_size)(int64_t channels, int64_t outputs);  ///< likewise
  void (*pack)(const Conv2dShape& shape, const float* weights, float* packed);
  WinogradStage transform_inputs, multiply_positions, transform_outputs;
};

/// Of a position's products: lines apart from a power of two, which would put all positions into one
/// set of the cache.
inline int64_t products_size(int64_t tiles, int64_t outputs) {
  return tiles * outputs + 16;
}

}  // namespace edgeprune::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

template <int kTile>
struct WinogradStages {
  static constexpr int kSide = Filtering<kTile>::kSide, kPositions = kSide * kSide;

  /// The first pixel of a tile's output.
  struct Place {
    Place(const Conv2dShape& s, int64_t index) {
      const int64_t across = (s.out_width() + kTile - 1) / kTile;
      const int64_t down = (s.out_height() + kTile - 1) / kTile;
      x = index % across * kTile;
      y = index / across % down * kTile;
      image = index / (across * down);
    }
    int64_t image, y, x;
  };

  static void transform_inputs(const WinogradBlock& b, int64_t begin, int64_t end) {
    const Conv2dShape& s = b.shape;
    const int64_t channels = s.in_channels, line = s.in_width * channels;
    const int64_t distance = Tiles::size(b.tiles, channels);
    const Tiles to{b.scratch, b.tiles, channels};
    for (int64_t tile = begin; tile < end; ++tile) {
      const Place place(s, b.first + tile);
      const int64_t top = place.y - s.padding, left = place.x - s.padding;
      const float* patch = b.input + (place.image * s.in_height + top) * line + left * channels;
      const auto store = [&](int64_t c) HWY_ATTR {
        return [&, c](int position, Vec v) HWY_ATTR {
          TileWriter({to.data + position * distance, to.rows, to.columns})(tile, c, v);
        };
      };
      const bool inside =
          top >= 0 && left >= 0 && top + kSide <= s.in_height && left + kSide <= s.in_width;
      for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
        const auto load = [&](int y, int x)
                              HWY_ATTR { return access.load(patch + y * line + x * channels + c); };
        if (inside) {
          transform_input<kTile>(load, store(c));
        } else {
          const auto load_or_zero = [&](int y, int x) HWY_ATTR {
            const bool exists =
                top + y >= 0 && top + y < s.in_height && left + x >= 0 && left + x < s.in_width;
            return exists ? load(y, x) : hn::Zero(F32());
          };
          transform_input<kTile>(load_or_zero, store(c));
        }
      });
    }
  }

  static void multiply_positions(const WinogradBlock& b, int64_t begin, int64_t end) {
    const int64_t inputs = b.shape.in_channels, outputs = b.shape.out_channels;
    const int64_t input_size = Tiles::size(b.tiles, inputs);
    float* products = b.scratch + kPositions * input_size;
    for (int64_t position = begin; position < end; ++position) {
      const float* weights = b.weights + position * Panels::size(inputs, outputs);
      multiply_fetching(Tiles{b.scratch + position * input_size, b.tiles, inputs},
                        Panels{const_cast<float*>(weights), inputs, outputs},
                        products + position * products_size(b.tiles, outputs));
    }
  }

  static void transform_outputs(const WinogradBlock& b, int64_t begin, int64_t end) {
    const Conv2dShape& s = b.shape;
    const int64_t channels = s.out_channels, line = s.out_width() * channels;
    const int64_t distance = products_size(b.tiles, channels);
    const float* products = b.scratch + kPositions * Tiles::size(b.tiles, s.in_channels);
    with_activation(form_of(b.activation), [&](const auto& activate) HWY_ATTR {
      for (int64_t tile = begin; tile < end; ++tile) {
        const Place place(s, b.first + tile);
        const int64_t height = s.out_height() - place.y, width = s.out_width() - place.x;
        const int64_t at = (place.image * s.out_height() + place.y) * line + place.x * channels;
        for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
          const Vec bias = access.load(b.bias + c);
          const float* from = products + tile * channels + c;
          transform_output<kTile>([&](int position)
                                      HWY_ATTR { return access.load(from + position * distance); },
                                  [&](int y, int x, Vec v) HWY_ATTR {
                                    if (y >= height || x >= width) return;
                                    const int64_t pixel = at + y * line + x * channels + c;
                                    v = hn::Add(v, bias);
                                    if (b.residual != nullptr)
                                      v = hn::Add(v, access.load(b.residual + pixel));
                                    access.store(activate(v), b.output + pixel);
                                  });
        });
      }
    });
  }

  /// G g G', each position's matrix [O,I] packed as the products' right factor.
  static void pack(const Conv2dShape& s, const float* weights, float* packed) {
    const auto& g = Filtering<kTile>::filter;
    const int64_t filters = s.out_channels * s.in_channels;
    const int64_t size = Panels::size(s.in_channels, s.out_channels);
    parallel_for(kPositions, 1, [&](int64_t begin, int64_t end, int) {
      const auto matrix = allocate_floats(static_cast<size_t>(filters));
      for (int64_t position = begin; position < end; ++position) {
        double factors[9];
        for (int64_t k = 0; k < 9; ++k) {
          factors[k] = g[position / kSide][k / 3] * g[position % kSide][k % 3];
        }
        for (int64_t f = 0; f < filters; ++f) {
          double sum = 0.0;
          for (int64_t k = 0; k < 9; ++k) sum += factors[k] * double(weights[9 * f + k]);
          matrix[static_cast<size_t>(f)] = static_cast<float>(sum);
        }
        const Panels panels{packed + position * size, s.in_channels, s.out_channels};
        pack_transposed(matrix.get(), panels, 0, panels.count());
      }
    });
  }

  static constexpr WinogradKernel kernel = {
      kPositions,       Tiles::size,        Panels::size,     pack,
      transform_inputs, multiply_positions, transform_outputs};
};

const WinogradKernel* winograd_kernel(int64_t tile) {
  return tile == 2 ? &WinogradStages<2>::kernel : &WinogradStages<4>::kernel;
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(winograd_kernel);

namespace {

int64_t tiles_of(const Conv2dShape& s, int64_t tile) {
  return s.batch * ((s.out_height() + tile - 1) / tile) * ((s.out_width() + tile - 1) / tile);
}

int64_t whole(int64_t count, int64_t unit) {
  return (count + unit - 1) / unit * unit;
}

constexpr int64_t kTileUnit = 8;  // of register tiles' rows
/// So few tiles a thread that it is better to share the weights, the larger part, by positions.
constexpr int64_t kFewTiles = 32;

/// Tiles whose transforms the second-level cache holds, unless weights would be read too often.
int64_t most_tiles(const Conv2dShape& s, int64_t positions) {
  constexpr int64_t kFloats = 96 * 1024, kEnough = 64;
  const int64_t fit = kFloats / (positions * (s.in_channels + s.out_channels));
  const int64_t enough = std::min<int64_t>(kEnough, (s.in_channels + s.out_channels) / 4);
  return std::max(kTileUnit, std::max(fit, enough) / kTileUnit * kTileUnit);
}

}  // namespace

bool winograd_supported(const Conv2dShape& s) {
  return s.kernel == 3 && s.stride == 1 && s.groups == 1 && s.out_height() > 0 && s.out_width() > 0;
}

int64_t winograd_tile(const Conv2dShape& s) {
  if (!winograd_supported(s)) return 0;
  // In multiply-adds: a weight comes from the third-level cache or from memory, a transformed value
  // is written and read in the second.
  constexpr int64_t kWeight = 8, kTransformed = 12;
  const int64_t filters = s.in_channels * s.out_channels;
  int64_t best = 0, least = s.multiply_adds() + kWeight * 9 * filters;
  for (const int64_t tile : {int64_t{2}, int64_t{4}}) {
    const int64_t tiles = tiles_of(s, tile), positions = (tile + 2) * (tile + 2);
    const int64_t cost = positions * (whole(tiles, kTileUnit) * filters + kWeight * filters +
                                      kTransformed * tiles * (s.in_channels + s.out_channels));
    if (cost < least) best = tile, least = cost;
  }
  return best;
}

Winograd::Winograd(const Conv2dShape& shape, const float* weights, const float* bias,
                   Activation activation, int64_t tile)
    : shape_(shape), activation_(activation), tile_(tile), threads_(thread_count()) {
  require(winograd_supported(shape) && (tile == 2 || tile == 4), "Winograd",
          "expected a 3x3 convolution of stride 1 and tiles of 2 or 4, got kernel {}, stride {}, "
          "groups {} and tiles of {}",
          shape.kernel, shape.stride, shape.groups, tile);
  kernel_ = HWY_DYNAMIC_DISPATCH(winograd_kernel)(tile);
  tiles_ = tiles_of(shape, tile);
  shared_ = threads_ > 1 && tiles_ < kFewTiles * threads_;
  if (shared_) threads_ = 1;  // one block, whoever works on it
  block_tiles_ = std::min(tiles_, most_tiles(shape, kernel_->positions));
  weight_floats_ =
      kernel_->positions * kernel_->weights_size(shape.in_channels, shape.out_channels);
  const auto packed = allocate_floats(static_cast<size_t>(weight_floats_));
  kernel_->pack(shape, weights, packed.get());
  weights_ = packed;
  const auto own_bias = allocate_floats(static_cast<size_t>(shape.out_channels));
  std::copy_n(bias, shape.out_channels, own_bias.get());
  bias_ = own_bias;
}

int64_t Winograd::block_size(int64_t tiles) const {
  return kernel_->positions * (kernel_->input_size(tiles, shape_.in_channels) +
                               products_size(tiles, shape_.out_channels));
}

void Winograd::run(const float* input, const float* residual, float* output, float* scratch) const {
  const auto run_block = [&](int64_t first, int64_t tiles, float* own_scratch) {
    const WinogradBlock block{shape_,      input,  weights_.get(), bias_.get(), residual,
                              activation_, output, own_scratch,    first,       tiles};
    const auto run_stage = [&](int64_t count, WinogradStage stage) {
      parallel_for(count, 1, [&](int64_t begin, int64_t end, int) { stage(block, begin, end); });
    };
    run_stage(tiles, kernel_->transform_inputs);
    run_stage(kernel_->positions, kernel_->multiply_positions);
    run_stage(tiles, kernel_->transform_outputs);
  };
  const auto run_tiles = [&](int64_t first, int64_t end, float* own_scratch) {
    while (first < end) {
      const int64_t tiles = std::min(block_tiles_, end - first);
      run_block(first, tiles, own_scratch);
      first += tiles;
    }
  };
  if (shared_) return run_tiles(0, tiles_, scratch);
  // Whole register tiles for each thread.
  const ThreadScope most(static_cast<int>(std::min<int64_t>(threads_, thread_count())));
  const int64_t units = (tiles_ + kTileUnit - 1) / kTileUnit;
  parallel_for(units, 1, [&](int64_t begin, int64_t end, int part) {
    const ThreadScope one(1);
    run_tiles(begin * kTileUnit, std::min(tiles_, end * kTileUnit),
              scratch + part * block_size(block_tiles_));
  });
}

}  // namespace edgeprune::simd
#endif
