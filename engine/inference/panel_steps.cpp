#include "engine/inference/panel_steps.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/pointwise.h"
#include "engine/kernels/panels/pool.h"
#include "engine/kernels/panels/relayout.h"
#include "engine/kernels/panels/stem.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/sparse/spmm.h"

namespace edgeprune::inference {
namespace {

int64_t columns_of(const Conv2dShape& map) {
  return map.in_height * map.in_width * map.batch;
}

PanelLayout output_panels(const Conv2dShape& s) {
  return {s.out_channels, s.out_height() * s.out_width() * s.batch};
}

class Pointwise : public Step {
 public:
  Pointwise(const Layer& layer, const Conv2dShape& s)
      : columns_(columns_of(s)),
        weights_(layer.weight.data(), s.out_channels, s.in_channels, columns_),
        bias_(layer.bias),
        activation_(layer.activation) {}
  void run(const float* input, const float* residual, float* output, float*) override {
    panels::pointwise(weights_, columns_, input, bias_.data(), residual, activation_, output);
  }
  int64_t output_size() const override { return PanelLayout{weights_.rows(), columns_}.size(); }
  int64_t weight_bytes() const override {
    return weights_.rows() * weights_.channels() * int64_t{sizeof(float)};
  }
  std::string kernel() const override { return "dense"; }

 private:
  int64_t columns_;
  panels::PointwiseWeights weights_;
  Tensor bias_;
  Activation activation_;
};

class SparsePointwise : public Step {
 public:
  SparsePointwise(const Layer& layer, const Conv2dShape& s)
      : columns_(columns_of(s)),
        weights_(sparse::CsrMatrix::from_dense(layer.weight.data(), s.out_channels, s.in_channels),
                 columns_),
        bias_(layer.bias),
        activation_(layer.activation) {}
  void run(const float* input, const float* residual, float* output, float*) override {
    sparse::spmm(weights_, columns_, input, bias_.data(), residual, activation_, output);
  }
  int64_t output_size() const override { return PanelLayout{weights_.rows(), columns_}.size(); }
  int64_t weight_bytes() const override { return weights_.bytes(); }
  double density() const override {
    return double(weights_.nnz()) / double(weights_.rows() * weights_.channels());
  }
  std::string kernel() const override { return "csr"; }

 private:
  int64_t columns_;
  sparse::SparseWeights weights_;
  Tensor bias_;
  Activation activation_;
};

/// A kernel over 3x3 windows; both have the same form.
template <auto kForward, auto kScratchSize>
class Windows : public Step {
 public:
  Windows(const Layer& layer, const Conv2dShape& shape, const Tensor& weights, std::string name)
      : shape_(shape),
        weights_(weights),
        bias_(layer.bias),
        activation_(layer.activation),
        name_(std::move(name)) {
    require(layer.residual < 0, "Plan", "{} layer '{}' adds a residual", name_, layer.name);
  }
  void run(const float* input, const float*, float* output, float* scratch) override {
    kForward(shape_, input, weights_.data(), bias_.data(), activation_, scratch, output);
  }
  int64_t output_size() const override { return output_panels(shape_).size(); }
  int64_t scratch_size() const override { return thread_count() * kScratchSize(shape_); }
  int64_t weight_bytes() const override { return weights_.count() * int64_t{sizeof(float)}; }
  std::string kernel() const override { return name_; }

 private:
  Conv2dShape shape_;
  Tensor weights_, bias_;
  Activation activation_;
  std::string name_;
};

using Depthwise = Windows<&panels::depthwise_forward, &panels::depthwise_scratch_size>;
using Stem = Windows<&panels::stem_forward, &panels::stem_scratch_size>;

class AveragePool : public Step {
 public:
  explicit AveragePool(const Conv2dShape& map) : map_(map) {}
  void run(const float* input, const float*, float* output, float*) override {
    panels::global_average_pool(map_.in_channels, map_.in_height * map_.in_width, map_.batch, input,
                                output);
  }
  int64_t output_size() const override { return PanelLayout{map_.in_channels, map_.batch}.size(); }
  std::string kernel() const override { return "average pool"; }

 private:
  Conv2dShape map_;
};

/// One of the changes of layout, which share a form.
template <auto kChange>
class ChangeOfLayout : public Step {
 public:
  ChangeOfLayout(const Conv2dShape& map, int64_t output_size, std::string name)
      : map_(map), output_size_(output_size), name_(std::move(name)) {}
  void run(const float* input, const float*, float* output, float*) override {
    kChange(map_.batch, map_.in_height * map_.in_width, map_.in_channels, input, output);
  }
  int64_t output_size() const override { return output_size_; }
  std::string kernel() const override { return name_; }

 private:
  Conv2dShape map_;
  int64_t output_size_;
  std::string name_;
};

Conv2dShape with_images(const Layer& layer, int64_t images) {
  Conv2dShape shape = layer.shape;
  shape.batch = images;
  return shape;
}

}  // namespace

bool panel_step_exists(const Layer& layer) {
  return layer.kind == Layer::Kind::global_average_pool || layer.shape.pointwise() ||
         panels::depthwise_supported(layer.shape);
}

std::unique_ptr<Step> panel_step(const Layer& layer, int64_t images, bool sparse) {
  const Conv2dShape shape = with_images(layer, images);
  if (layer.kind == Layer::Kind::global_average_pool) return std::make_unique<AveragePool>(shape);
  if (shape.pointwise() && sparse) return std::make_unique<SparsePointwise>(layer, shape);
  if (shape.pointwise()) return std::make_unique<Pointwise>(layer, shape);
  require(panels::depthwise_supported(shape), "Plan",
          "no kernel for layer '{}' ({}x{} kernel, stride {}, {} groups) on panels", layer.name,
          shape.kernel, shape.kernel, shape.stride, shape.groups);
  Tensor taps({9, shape.in_channels});
  simd::filters_to_taps(layer.weight.data(), shape.in_channels, taps.data());
  return std::make_unique<Depthwise>(layer, shape, taps, "depthwise");
}

bool panel_stem_exists(const Layer& layer) {
  return layer.kind == Layer::Kind::convolution && layer.residual < 0 &&
         panels::stem_supported(layer.shape);
}

std::unique_ptr<Step> panel_stem_step(const Layer& layer, int64_t images) {
  return std::make_unique<Stem>(layer, with_images(layer, images), layer.weight.clone(), "stem");
}

std::unique_ptr<Step> to_panels_step(const Conv2dShape& map) {
  const int64_t size = PanelLayout{map.in_channels, columns_of(map)}.size();
  return std::make_unique<ChangeOfLayout<&panels::to_panels>>(map, size, "to panels");
}

std::unique_ptr<Step> gather_images_step(const Conv2dShape& map) {
  const int64_t size = PanelLayout{map.in_channels, columns_of(map)}.size();
  return std::make_unique<ChangeOfLayout<&panels::gather_images>>(map, size, "gather images");
}

std::unique_ptr<Step> from_panels_step(const Conv2dShape& map) {
  return std::make_unique<ChangeOfLayout<&panels::from_panels>>(map, map.input_count(),
                                                                "from panels");
}

}  // namespace edgeprune::inference
