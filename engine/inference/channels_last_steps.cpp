#include "engine/inference/channels_last_steps.h"

#include "engine/base/check.h"
#include "engine/inference/map_steps.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/simd/conv2d.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/kernels/simd/winograd.h"

namespace edgeprune::inference {
namespace {

class OneDnnConvolution : public FloatStep {
 public:
  OneDnnConvolution(const Layer& layer, const Conv2dShape& shape)
      : size_(shape.output_count()),
        conv_(shape, layer.weight.data(), layer.bias.data(), layer.activation,
              layer.residual >= 0) {}
  void run_floats(const float* input, const float* residual, float* output, float*) override {
    conv_.run(input, residual, output);
  }
  int64_t output_size() const override { return size_; }
  std::string kernel() const override { return "onednn"; }

 private:
  int64_t size_;
  onednn::FusedConv2d conv_;
};

class WinogradConvolution : public FloatStep {
 public:
  WinogradConvolution(const Layer& layer, const Conv2dShape& shape, int64_t tile)
      : size_(shape.output_count()),
        conv_(shape, layer.weight.data(), layer.bias.data(), layer.activation, tile) {}
  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    conv_.run(input, residual, output, scratch);
  }
  int64_t output_size() const override { return size_; }
  int64_t scratch_size() const override { return conv_.scratch_size(); }
  int64_t weight_bytes() const override { return conv_.weight_bytes(); }
  double density() const override { return conv_.share_of_products(); }
  std::string kernel() const override { return conv_.tile() == 2 ? "winograd 2" : "winograd 4"; }

 private:
  int64_t size_;
  simd::Winograd conv_;
};

class PackedConvolution : public FloatStep {
 public:
  PackedConvolution(const Layer& layer, const Conv2dShape& shape)
      : size_(shape.output_count()),
        conv_(shape, layer.weight.data(), layer.bias.data(), layer.activation) {}
  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    conv_.run(input, residual, output, scratch);
  }
  int64_t output_size() const override { return size_; }
  int64_t scratch_size() const override { return conv_.scratch_size(); }
  int64_t weight_bytes() const override { return conv_.weight_bytes(); }
  std::string kernel() const override { return "simd conv"; }

 private:
  int64_t size_;
  simd::Conv2d conv_;
};

class DepthwiseConvolution : public FloatStep {
 public:
  DepthwiseConvolution(const Layer& layer, const Conv2dShape& shape)
      : shape_(shape),
        activation_(layer.activation),
        bias_(layer.bias),
        taps_({shape.kernel * shape.kernel, shape.in_channels}) {
    require(layer.residual < 0, "onednn engine", "depthwise layer '{}' adds a residual",
            layer.name);
    simd::filters_to_taps(layer.weight.data(), shape.in_channels, taps_.data(), shape.kernel);
  }
  void run_floats(const float* input, const float*, float* output, float*) override {
    simd::depthwise_forward(shape_, input, taps_.data(), bias_.data(), activation_, output);
  }
  int64_t output_size() const override { return shape_.output_count(); }
  std::string kernel() const override { return "simd depthwise"; }

 private:
  Conv2dShape shape_;
  Activation activation_;
  Tensor bias_, taps_;
};

}  // namespace

std::unique_ptr<FloatStep> channels_last_step(const Layer& layer, int64_t batch) {
  Conv2dShape shape = layer.shape;
  shape.batch = batch;
  if (layer.kind != Layer::Kind::convolution) return map_step(layer, batch);
  if (simd::depthwise_supported(shape)) return std::make_unique<DepthwiseConvolution>(layer, shape);
  return onednn_step(layer, batch);
}

bool own_channels_last_step_exists(const Layer& layer) {
  return layer.kind != Layer::Kind::convolution || simd::depthwise_supported(layer.shape);
}

std::unique_ptr<FloatStep> onednn_step(const Layer& layer, int64_t batch) {
  Conv2dShape shape = layer.shape;
  shape.batch = batch;
  return std::make_unique<OneDnnConvolution>(layer, shape);
}

std::unique_ptr<FloatStep> dense_channels_last_step(const Layer& layer, int64_t batch) {
  Conv2dShape shape = layer.shape;
  shape.batch = batch;
  if (layer.kind != Layer::Kind::convolution || shape.groups > 1) {
    return channels_last_step(layer, batch);
  }
  if (const int64_t tile = simd::winograd_tile(shape); tile > 0) {
    return std::make_unique<WinogradConvolution>(layer, shape, tile);
  }
  return std::make_unique<PackedConvolution>(layer, shape);
}

}  // namespace edgeprune::inference
