#include "engine/inference/sparse_steps.h"

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/pool.h"
#include "engine/kernels/panels/relayout.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/sparse/spmm.h"

namespace edgeprune::inference {
namespace {

class CsrConvolution : public Step {
 public:
  CsrConvolution(const Layer& layer, const Conv2dShape& shape)
      : weights_(sparse::CsrMatrix::from_dense(layer.weight.data(), shape.out_channels,
                                               shape.in_channels)),
        columns_(shape.in_height * shape.in_width * shape.batch),
        bias_(layer.bias),
        activation_(layer.activation) {}
  void run(const float* input, const float* residual, float* output) override {
    sparse::spmm(weights_, columns_, input, bias_.data(), residual, activation_, output);
  }
  int64_t output_size() const override { return PanelLayout{weights_.rows, columns_}.size(); }
  std::string kernel() const override { return "csr"; }

 private:
  sparse::CsrMatrix weights_;
  int64_t columns_;
  Tensor bias_;
  Activation activation_;
};

class PanelDepthwise : public Step {
 public:
  PanelDepthwise(const Layer& layer, const Conv2dShape& shape)
      : shape_(shape),
        taps_({9, shape.in_channels}),
        bias_(layer.bias),
        scratch_({thread_count(), panels::depthwise_scratch_size(shape)}),
        activation_(layer.activation) {
    require(layer.residual < 0, "sparse engine", "depthwise layer '{}' adds a residual",
            layer.name);
    simd::filters_to_taps(layer.weight.data(), shape.in_channels, taps_.data());
  }
  void run(const float* input, const float*, float* output) override {
    panels::depthwise_forward(shape_, input, taps_.data(), bias_.data(), activation_,
                              scratch_.data(), output);
  }
  int64_t output_size() const override {
    return PanelLayout{shape_.out_channels, shape_.out_height() * shape_.out_width() * shape_.batch}
        .size();
  }
  std::string kernel() const override { return "panel depthwise"; }

 private:
  Conv2dShape shape_;
  Tensor taps_, bias_, scratch_;
  Activation activation_;
};

class PanelAveragePool : public Step {
 public:
  explicit PanelAveragePool(const Conv2dShape& shape)
      : channels_(shape.in_channels),
        pixels_(shape.in_height * shape.in_width),
        batch_(shape.batch) {}
  void run(const float* input, const float*, float* output) override {
    panels::global_average_pool(channels_, pixels_, batch_, input, output);
  }
  int64_t output_size() const override { return PanelLayout{channels_, batch_}.size(); }
  std::string kernel() const override { return "panel average pool"; }

 private:
  int64_t channels_, pixels_, batch_;
};

/// Between [N,pixels,C] and panels.
class Relayout : public Step {
 public:
  Relayout(int64_t pixels, int64_t channels, int64_t batch, bool to_panels)
      : pixels_(pixels), channels_(channels), batch_(batch), to_panels_(to_panels) {}
  void run(const float* input, const float*, float* output) override {
    to_panels_ ? panels::to_panels(batch_, pixels_, channels_, input, output)
               : panels::from_panels(batch_, pixels_, channels_, input, output);
  }
  int64_t output_size() const override {
    return to_panels_ ? PanelLayout{channels_, pixels_ * batch_}.size()
                      : pixels_ * batch_ * channels_;
  }
  std::string kernel() const override { return to_panels_ ? "to panels" : "from panels"; }

 private:
  int64_t pixels_, channels_, batch_;
  bool to_panels_;
};

}  // namespace

bool sparse_step_exists(const Layer& layer) {
  return layer.kind == Layer::Kind::global_average_pool || layer.shape.pointwise() ||
         simd::depthwise_supported(layer.shape);
}

std::unique_ptr<Step> sparse_step(const Layer& layer, int64_t batch) {
  Conv2dShape shape = layer.shape;
  shape.batch = batch;
  if (layer.kind == Layer::Kind::global_average_pool)
    return std::make_unique<PanelAveragePool>(shape);
  if (shape.pointwise()) return std::make_unique<CsrConvolution>(layer, shape);
  require(simd::depthwise_supported(shape), "sparse engine",
          "no kernel for layer '{}' ({}x{} kernel, stride {}, {} groups) behind a sparse one",
          layer.name, shape.kernel, shape.kernel, shape.stride, shape.groups);
  return std::make_unique<PanelDepthwise>(layer, shape);
}

std::unique_ptr<Step> to_panels_step(const Conv2dShape& shape, int64_t batch) {
  return std::make_unique<Relayout>(shape.in_height * shape.in_width, shape.in_channels, batch,
                                    true);
}

std::unique_ptr<Step> from_panels_step(int64_t classes, int64_t batch) {
  return std::make_unique<Relayout>(1, classes, batch, false);
}

}  // namespace edgeprune::inference
