#include "engine/inference/sparse_block_step.h"

#include <algorithm>
#include <array>

#include "engine/inference/band_step.h"
#include "engine/inference/live_channels.h"
#include "engine/inference/panel_steps.h"
#include "engine/kernels/panels/depthwise.h"

namespace edgeprune::inference {
namespace {

/// Three steps, one after the other.
class Chain : public FloatStep {
 public:
  explicit Chain(std::array<std::unique_ptr<FloatStep>, 3> steps) : steps_(std::move(steps)) {}

  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    run_floats_timed(input, residual, output, scratch, nullptr);
  }
  void run_floats_timed(const float* input, const float* residual, float* output, float* scratch,
                        double* seconds) override {
    const float* from = input;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const bool last = i + 1 == steps_.size();
      float* to = last ? output : scratch + (i == 0 ? 0 : size(0));
      const float* added = last ? residual : nullptr;
      float* rest = scratch + size(0) + size(1);
      if (seconds == nullptr) {
        steps_[i]->run_floats(from, added, to, rest);
      } else {
        steps_[i]->run_floats_timed(from, added, to, rest, seconds + i);
      }
      from = to;
    }
  }
  int64_t output_size() const override { return steps_.back()->output_size(); }
  int64_t scratch_size() const override {
    int64_t most = 0;
    for (const auto& step : steps_) most = std::max(most, step->scratch_size());
    return size(0) + size(1) + most;
  }
  std::string kernel() const override { return "chain"; }
  int parts() const override { return 3; }
  const Step& part(int i) const override { return *steps_[static_cast<size_t>(i)]; }

 private:
  /// Floats of a step's output, in whole cache lines.
  int64_t size(size_t i) const { return (steps_[i]->output_size() + 15) / 16 * 16; }

  std::array<std::unique_ptr<FloatStep>, 3> steps_;
};

std::unique_ptr<FloatStep> step_of(const Block& block, int64_t images) {
  const bool from_stem = !block.widen.pointwise();
  if (block.middle.kind == Layer::Kind::convolution && band_pays(block.middle.shape, images)) {
    return band_step(from_stem ? panel_stem_step(block.widen, images)
                               : pointwise_step(block.widen, images, true),
                     block.middle, pointwise_step(block.narrow, images, true), images);
  }
  return std::make_unique<Chain>(std::array<std::unique_ptr<FloatStep>, 3>{
      from_stem ? panel_stem_step(block.widen, images) : panel_step(block.widen, images, true),
      panel_step(block.middle, images, true), panel_step(block.narrow, images, true)});
}

/// A block's step, whose parts are to be described by the layers as they were.
class SparseBlock : public FloatStep {
 public:
  SparseBlock(const std::array<const Layer*, 3>& layers, const Block& live, int64_t images)
      : step_(step_of(live, images)),
        parts_{Part(*layers[0], live.widen, step_->part(0)),
               Part(*layers[1], live.middle, step_->part(1)),
               Part(*layers[2], live.narrow, step_->part(2))} {}

  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    step_->run_floats(input, residual, output, scratch);
  }
  void run_floats_timed(const float* input, const float* residual, float* output, float* scratch,
                        double* seconds) override {
    step_->run_floats_timed(input, residual, output, scratch, seconds);
  }
  int64_t output_size() const override { return step_->output_size(); }
  int64_t scratch_size() const override { return step_->scratch_size(); }
  std::string kernel() const override { return "sparse block"; }
  int parts() const override { return 3; }
  const Step& part(int i) const override { return parts_[static_cast<size_t>(i)]; }

 private:
  class Part : public FloatStep {
   public:
    Part(const Layer& whole, const Layer& live, const Step& step)
        : step_(step),
          density_(step.density() * double(live.shape.weight_count()) /
                   double(whole.shape.weight_count())) {}
    void run_floats(const float*, const float*, float*, float*) override {}
    int64_t output_size() const override { return step_.output_bytes() / int64_t{sizeof(float)}; }
    int64_t weight_bytes() const override { return step_.weight_bytes(); }
    double density() const override { return density_; }
    std::string kernel() const override { return step_.kernel(); }

   private:
    const Step& step_;
    double density_;
  };

  std::unique_ptr<FloatStep> step_;
  std::array<Part, 3> parts_;
};

}  // namespace

bool is_sparse_block(const Graph& graph, size_t i) {
  if (i + 3 > graph.layers.size()) return false;
  const Layer& widen = graph.layers[i];
  const Layer& middle = graph.layers[i + 1];
  const bool keeps_channels_apart =
      middle.kind == Layer::Kind::global_average_pool ||
      (middle.kind == Layer::Kind::convolution && panels::depthwise_supported(middle.shape));
  return (widen.pointwise() || (i == 0 && panel_stem_exists(widen))) && keeps_channels_apart &&
         graph.layers[i + 2].pointwise() && graph.in_line(i, 3);
}

std::unique_ptr<FloatStep> sparse_block_step(const Layer& widen, const Layer& middle,
                                             const Layer& narrow, int64_t images) {
  return std::make_unique<SparseBlock>(std::array{&widen, &middle, &narrow},
                                       without_constant_channels({widen, middle, narrow}), images);
}

}  // namespace edgeprune::inference
