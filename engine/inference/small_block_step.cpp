#include "engine/inference/small_block_step.h"

#include <array>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/panel_layout.h"
#include "engine/kernels/panels/small_block.h"
#include "engine/kernels/simd/depthwise.h"

namespace edgeprune::inference {
namespace {

panels::SmallBlock make_block(const Layer& widen, const Layer& depthwise, const Layer& narrow) {
  Tensor taps({9, depthwise.shape.in_channels});
  simd::filters_to_taps(depthwise.weight.data(), depthwise.shape.in_channels, taps.data());
  return panels::SmallBlock({.depthwise = depthwise.shape,
                             .in_channels = widen.shape.in_channels,
                             .out_channels = narrow.shape.out_channels,
                             .widen = widen.weight.data(),
                             .widen_bias = widen.bias.data(),
                             .taps = taps.data(),
                             .taps_bias = depthwise.bias.data(),
                             .narrow = narrow.weight.data(),
                             .narrow_bias = narrow.bias.data(),
                             .widen_activation = widen.activation,
                             .depthwise_activation = depthwise.activation,
                             .narrow_activation = narrow.activation});
}

class SmallBlockStep : public FloatStep {
 public:
  SmallBlockStep(const Layer& widen, const Layer& depthwise, const Layer& narrow)
      : parts_{Part(widen, "dense"), Part(depthwise, "depthwise"), Part(narrow, "dense")},
        block_(make_block(widen, depthwise, narrow)) {}

  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    block_.run(input, residual, output, scratch, nullptr);
  }
  void run_floats_timed(const float* input, const float* residual, float* output, float* scratch,
                        double* seconds) override {
    block_.run(input, residual, output, scratch, seconds);
  }
  int64_t output_size() const override { return parts_[2].output_size(); }
  int64_t scratch_size() const override { return block_.scratch_size(thread_count()); }
  std::string kernel() const override { return "small block"; }
  int parts() const override { return 3; }
  const Step& part(int i) const override { return parts_[static_cast<size_t>(i)]; }

 private:
  /// What is to be said of a layer; the block runs it.
  class Part : public FloatStep {
   public:
    Part(const Layer& layer, std::string name)
        : output_size_(PanelLayout{layer.shape.out_channels,
                                   layer.shape.out_height() * layer.shape.out_width()}
                           .size()),
          weight_bytes_(layer.weight.count() * int64_t{sizeof(float)}),
          name_(std::move(name)) {}
    void run_floats(const float*, const float*, float*, float*) override {}
    int64_t output_size() const override { return output_size_; }
    int64_t weight_bytes() const override { return weight_bytes_; }
    std::string kernel() const override { return name_; }

   private:
    int64_t output_size_, weight_bytes_;
    std::string name_;
  };

  std::array<Part, 3> parts_;
  panels::SmallBlock block_;
};

}  // namespace

bool small_block_pays(const Layer& widen, const Layer& depthwise, const Layer& narrow,
                      int64_t images) {
  return images == 1 && widen.shape.pointwise() &&
         panels::SmallBlock::pays(depthwise.shape, widen.shape.in_channels,
                                  narrow.shape.out_channels);
}

std::unique_ptr<FloatStep> small_block_step(const Layer& widen, const Layer& depthwise,
                                            const Layer& narrow) {
  return std::make_unique<SmallBlockStep>(widen, depthwise, narrow);
}

}  // namespace edgeprune::inference
