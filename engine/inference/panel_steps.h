#pragma once
// Steps on panels (engine/kernels/panels/panel_layout.h), one column per pixel, images innermost.

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::inference {

inline PanelLayout input_panels(const Conv2dShape& s) {
  return {s.in_channels, s.in_height * s.in_width * s.batch};
}
inline PanelLayout output_panels(const Conv2dShape& s) {
  return {s.out_channels, s.out_height() * s.out_width() * s.batch};
}

/// A step that can also compute some panels of its output.
class PanelStep : public FloatStep {
 public:
  explicit PanelStep(const PanelLayout& output) : output_(output) {}
  const PanelLayout& output() const { return output_; }
  int64_t output_size() const override { return output_.size(); }
  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    run_panels(input, residual, 0, output_.count(), output_.target(output), scratch);
  }
  /// Panels [begin, end) of the output, the first of them to to.at(0, channel). input, residual: of
  /// the whole map.
  virtual void run_panels(const float* input, const float* residual, int64_t begin, int64_t end,
                          const PanelTarget& to, float* scratch) const = 0;

 private:
  PanelLayout output_;
};

/// A 1x1 convolution.
class PointwiseStep : public PanelStep {
 public:
  using PanelStep::PanelStep;
  /// run_panels() from an input of which there are only those panels.
  virtual void run_band(const float* input, const float* residual, int64_t begin, int64_t end,
                        const PanelTarget& to) const = 0;
};

/// A depthwise convolution, whose input may also stand in planes.
class DepthwiseStep : public FloatStep {
 public:
  virtual const Conv2dShape& shape() const = 0;
  /// Panels [begin, end) of the output to `output`, on the calling thread.
  virtual void run_planes(const panels::DepthwisePlanes& planes, int64_t begin, int64_t end,
                          float* scratch, float* output) const = 0;
};

/// Whether panel_step() knows the layer: 1x1 and depthwise 3x3 convolutions and the pool.
bool panel_step_exists(const Layer& layer);
/// `sparse`: 1x1 convolutions run on CSR weights. Throws std::invalid_argument naming a layer that
/// it does not know.
std::unique_ptr<FloatStep> panel_step(const Layer& layer, int64_t images, bool sparse);

/// panel_step() for these layers.
std::unique_ptr<PointwiseStep> pointwise_step(const Layer& layer, int64_t images, bool sparse);
std::unique_ptr<DepthwiseStep> depthwise_step(const Layer& layer, int64_t images);

/// Whether panel_stem_step() knows the layer, a 3x3 convolution of stride 2 over a few channels.
bool panel_stem_exists(const Layer& layer);
/// From [N,H,W,C] to panels.
std::unique_ptr<PanelStep> panel_stem_step(const Layer& layer, int64_t images);

// Changes of layout; a map's shape counts only as input: batch, in_height, in_width, in_channels.
/// [N,H,W,C] to panels.
std::unique_ptr<FloatStep> to_panels_step(const Conv2dShape& map);
/// A batch of images in panels of their own, one after the other, to panels of them all.
std::unique_ptr<FloatStep> gather_images_step(const Conv2dShape& map);
/// Panels of classes x N to logits [N,classes].
std::unique_ptr<FloatStep> from_panels_step(const Conv2dShape& map);

}  // namespace edgeprune::inference
