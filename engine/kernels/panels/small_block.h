#pragma once
// A block of layers on a small map of one image, from panels to panels: a 1x1 convolution that widens
// it, a depthwise 3x3 convolution, and the 1x1 convolution that narrows it again. Between them a
// vector holds a pixel of several channels, which suits all three whatever the map's size is.

#include <cstdint>
#include <memory>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// What a block computes; all pointers are read while a SmallBlock is made, and not afterwards.
struct SmallBlockLayers {
  Conv2dShape depthwise;  ///< batch 1
  int64_t in_channels, out_channels;
  const float *widen, *widen_bias;    ///< [depthwise channels, in_channels], [depthwise channels]
  const float *taps, *taps_bias;      ///< [9, depthwise channels], [depthwise channels]
  const float *narrow, *narrow_bias;  ///< [out_channels, depthwise channels], [out_channels]
  Activation widen_activation, depthwise_activation, narrow_activation;
};

/// Weights packed for the target in use (engine/kernels/simd/target.h), on which it runs ever after.
/// Cheap to copy, safe to use from several threads at once.
class SmallBlock {
 public:
  explicit SmallBlock(const SmallBlockLayers& layers);

  /// Whether a block of these sizes runs faster so than layer by layer on the target in use, one
  /// after the other on panels.
  static bool pays(const Conv2dShape& depthwise, int64_t in_channels, int64_t out_channels);

  /// Floats, for that many threads.
  int64_t scratch_size(int threads) const;
  /// input: PanelLayout{in_channels, H*W}; output and residual (may be null): PanelLayout{
  /// out_channels, H'*W'}. The same bits for any number of threads. `seconds`: null, or the times of
  /// the three layers are added, each the mean over the threads.
  void run(const float* input, const float* residual, float* output, float* scratch,
           double* seconds) const;

  struct Packed;

 private:
  std::shared_ptr<const Packed> packed_;
};

}  // namespace edgeprune::panels
