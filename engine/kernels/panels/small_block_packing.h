#pragma once
// How small_block.cpp packs its weights and what its kernels take.

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/kernels/panels/pointwise_packing.h"
#include "engine/kernels/panels/small_block.h"

namespace edgeprune::panels {

struct SmallBlockCall;

struct SmallBlock::Packed {
  Conv2dShape depthwise;
  PanelLayout input, output;
  RowBlocks widen, narrow;
  int64_t lanes;
  std::shared_ptr<const float[]> widen_values = nullptr, narrow_values = nullptr;
  std::vector<float> widen_bias = {}, narrow_bias = {};
  std::vector<float> taps = {};  ///< [vectors of channels][9 taps and the bias][lanes]
  /// Floats that a thread needs: the wide map of a block of rows, and a row of zeros.
  int64_t thread_scratch = 0;
  Activation widen_activation = {}, depthwise_activation = {}, narrow_activation = {};
  // Of the target that it was packed for. A block of the wide map's rows; the same through the
  // depthwise layer; an item of panels x blocks of the output.
  void (*run_widen)(const SmallBlockCall&, int64_t block, float* wide) = nullptr;
  void (*run_depthwise)(const SmallBlockCall&, int64_t block, float* wide) = nullptr;
  void (*run_narrow)(const SmallBlockCall&, int64_t item) = nullptr;

  int64_t in_columns() const { return depthwise.in_height * depthwise.in_width; }
  int64_t out_columns() const { return output.columns; }
  int64_t channels() const { return widen.units * lanes; }  ///< of the wide map, whole vectors
  /// A vector's channels of the wide maps.
  int64_t wide_vector() const { return in_columns() * lanes; }
  int64_t convolved_vector() const { return out_columns() * lanes; }
};

/// Where a block's run reads and writes.
struct SmallBlockCall {
  const SmallBlock::Packed& block;
  const float *input, *residual;
  float* output;
  float* convolved;  ///< the depthwise layer's output, [vectors of channels][pixels][lanes]
};

}  // namespace edgeprune::panels
