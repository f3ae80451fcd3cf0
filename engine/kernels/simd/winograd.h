#pragma once
// 3x3 convolutions of stride 1 by minimal filtering (Winograd; Lavin & Gray 2016), channels-last,
// for inference. The output is cut into tiles of 2x2 or 4x4 pixels; their input, transformed, is
// multiplied by transformed weights: 16 products of channels for four pixels, 36 for sixteen, where
// the plain sums take 36 and 144.

#include <memory>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::simd {

/// Whether the kernels below cover a shape, whatever they take for it.
bool winograd_supported(const Conv2dShape& shape);

/// The side of the tiles that suit a shape, 2 or 4; 0 if plain sums do. A cost model: products,
/// rounded up to whole tiles, beside what it takes to transform maps and to read weights, of which
/// there are 16 or 36 instead of nine.
int64_t winograd_tile(const Conv2dShape& shape);

struct WinogradKernel;

/// A layer with its weights transformed once. Rounding errors, of random numbers: up to 2e-6 of the
/// largest output with tiles of 2x2, 2e-5 with 4x4.
class Winograd {
 public:
  /// weights [O,I,3,3] and bias [O] are copied. `tile`: 2 or 4. Packed for the target in use
  /// (target.h) and run on that one ever after. Throws std::invalid_argument unless
  /// winograd_supported().
  Winograd(const Conv2dShape& shape, const float* weights, const float* bias, Activation activation,
           int64_t tile);

  /// output = activation(conv(input) + bias + residual); residual may be null and may be output.
  /// `scratch`: scratch_size() floats of any content. No more threads than were in force when it was
  /// made are used. Their number does not change the result.
  void run(const float* input, const float* residual, float* output, float* scratch) const;

  int64_t scratch_size() const { return threads_ * block_size(block_tiles_); }
  int64_t weight_bytes() const { return static_cast<int64_t>(sizeof(float)) * weight_floats_; }
  int64_t tile() const { return tile_; }
  /// Of what plain sums multiply, transforms left out.
  double share_of_products() const { return tile_ == 2 ? 16.0 / 36.0 : 36.0 / 144.0; }

 private:
  int64_t block_size(int64_t tiles) const;

  Conv2dShape shape_;
  Activation activation_;
  int64_t tile_, tiles_, threads_, block_tiles_, weight_floats_;
  bool shared_;  ///< all threads work on one block
  const WinogradKernel* kernel_;
  std::shared_ptr<const float[]> weights_, bias_;
};

}  // namespace edgeprune::simd
