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

class Product : public PointwiseStep {
 public:
  Product(const Layer& layer, const Conv2dShape& s)
      : PointwiseStep(output_panels(s)),
        input_(input_panels(s)),
        bias_(layer.bias),
        activation_(layer.activation) {}
  void run_panels(const float* input, const float* residual, int64_t begin, int64_t end,
                  const PanelTarget& to, float*) const override {
    run_band(input + begin * input_.channels * input_.width(), residual, begin, end, to);
  }
  void run_band(const float* input, const float* residual, int64_t begin, int64_t end,
                const PanelTarget& to) const override {
    const int64_t width = input_.width();
    int64_t columns = std::min(input_.columns, end * width) - begin * width;
    if (input_.count() > 1) columns = std::max(columns, width);  // as wide alone as among others
    if (residual != nullptr) residual += begin * output().channels * width;
    multiply(columns, input, bias_.data(), residual, activation_, to);
  }

 protected:
  int64_t columns() const { return input_.columns; }

 private:
  virtual void multiply(int64_t columns, const float* input, const float* bias,
                        const float* residual, Activation activation,
                        const PanelTarget& to) const = 0;

  PanelLayout input_;
  Tensor bias_;
  Activation activation_;
};

class Pointwise : public Product {
 public:
  Pointwise(const Layer& layer, const Conv2dShape& s)
      : Product(layer, s),
        weights_(layer.weight.data(), s.out_channels, s.in_channels, columns()) {}
  int64_t weight_bytes() const override {
    return weights_.rows() * weights_.channels() * int64_t{sizeof(float)};
  }
  std::string kernel() const override { return "dense"; }

 private:
  void multiply(int64_t columns, const float* input, const float* bias, const float* residual,
                Activation activation, const PanelTarget& to) const override {
    panels::pointwise(weights_, columns, input, bias, residual, activation, to);
  }
  panels::PointwiseWeights weights_;
};

class SparsePointwise : public Product {
 public:
  SparsePointwise(const Layer& layer, const Conv2dShape& s)
      : Product(layer, s),
        weights_(sparse::CsrMatrix::from_dense(layer.weight.data(), s.out_channels, s.in_channels),
                 columns()) {}
  int64_t weight_bytes() const override { return weights_.bytes(); }
  double density() const override {
    return double(weights_.nnz()) / double(weights_.rows() * weights_.channels());
  }
  std::string kernel() const override { return "csr"; }

 private:
  void multiply(int64_t columns, const float* input, const float* bias, const float* residual,
                Activation activation, const PanelTarget& to) const override {
    sparse::spmm(weights_, columns, input, bias, residual, activation, to);
  }
  sparse::SparseWeights weights_;
};

class Depthwise : public DepthwiseStep {
 public:
  Depthwise(const Layer& layer, const Conv2dShape& shape)
      : shape_(shape),
        taps_({9, shape.in_channels}),
        bias_(layer.bias),
        activation_(layer.activation) {
    require(layer.residual < 0, "Plan", "depthwise layer '{}' adds a residual", layer.name);
    simd::filters_to_taps(layer.weight.data(), shape.in_channels, taps_.data());
  }
  void run_floats(const float* input, const float*, float* output, float* scratch) override {
    panels::depthwise_forward(shape_, input, taps_.data(), bias_.data(), activation_, scratch,
                              output);
  }
  void run_planes(const panels::DepthwisePlanes& planes, int64_t begin, int64_t end, float* scratch,
                  float* output) const override {
    panels::depthwise_from_planes(shape_, planes, taps_.data(), bias_.data(), activation_, begin,
                                  end, scratch, output);
  }
  const Conv2dShape& shape() const override { return shape_; }
  int64_t output_size() const override { return output_panels(shape_).size(); }
  int64_t scratch_size() const override {
    return thread_count() * panels::depthwise_scratch_size(shape_);
  }
  int64_t weight_bytes() const override { return taps_.count() * int64_t{sizeof(float)}; }
  std::string kernel() const override { return "depthwise"; }

 private:
  Conv2dShape shape_;
  Tensor taps_, bias_;
  Activation activation_;
};

class Stem : public PanelStep {
 public:
  Stem(const Layer& layer, const Conv2dShape& shape)
      : PanelStep(output_panels(shape)),
        shape_(shape),
        weights_(layer.weight.clone()),
        bias_(layer.bias),
        activation_(layer.activation) {}
  void run_panels(const float* images, const float*, int64_t begin, int64_t end,
                  const PanelTarget& to, float* scratch) const override {
    panels::stem_forward(shape_, images, weights_.data(), bias_.data(), activation_, begin, end,
                         scratch, to);
  }
  int64_t scratch_size() const override {
    return thread_count() * panels::stem_scratch_size(shape_);
  }
  int64_t weight_bytes() const override { return weights_.count() * int64_t{sizeof(float)}; }
  std::string kernel() const override { return "stem"; }

 private:
  Conv2dShape shape_;
  Tensor weights_, bias_;
  Activation activation_;
};

class AveragePool : public FloatStep {
 public:
  explicit AveragePool(const Conv2dShape& map) : map_(map) {}
  void run_floats(const float* input, const float*, float* output, float*) override {
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
class ChangeOfLayout : public FloatStep {
 public:
  ChangeOfLayout(const Conv2dShape& map, int64_t output_size, std::string name)
      : map_(map), output_size_(output_size), name_(std::move(name)) {}
  void run_floats(const float* input, const float*, float* output, float*) override {
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
  if (layer.kind != Layer::Kind::convolution) return layer.kind == Layer::Kind::global_average_pool;
  return layer.shape.pointwise() ||
         (layer.residual < 0 && panels::depthwise_supported(layer.shape));
}

std::unique_ptr<FloatStep> panel_step(const Layer& layer, int64_t images, bool sparse) {
  const Conv2dShape shape = with_images(layer, images);
  if (layer.kind == Layer::Kind::global_average_pool) return std::make_unique<AveragePool>(shape);
  if (shape.pointwise()) return pointwise_step(layer, images, sparse);
  require(panels::depthwise_supported(shape), "Plan",
          "no kernel for layer '{}' ({}x{} kernel, stride {}, {} groups) on panels", layer.name,
          shape.kernel, shape.kernel, shape.stride, shape.groups);
  return depthwise_step(layer, images);
}

std::unique_ptr<PointwiseStep> pointwise_step(const Layer& layer, int64_t images, bool sparse) {
  const Conv2dShape shape = with_images(layer, images);
  if (sparse) return std::make_unique<SparsePointwise>(layer, shape);
  return std::make_unique<Pointwise>(layer, shape);
}

std::unique_ptr<DepthwiseStep> depthwise_step(const Layer& layer, int64_t images) {
  return std::make_unique<Depthwise>(layer, with_images(layer, images));
}

bool panel_stem_exists(const Layer& layer) {
  return layer.kind == Layer::Kind::convolution && layer.residual < 0 &&
         panels::stem_supported(layer.shape);
}

std::unique_ptr<PanelStep> panel_stem_step(const Layer& layer, int64_t images) {
  return std::make_unique<Stem>(layer, with_images(layer, images));
}

std::unique_ptr<FloatStep> to_panels_step(const Conv2dShape& map) {
  const int64_t size = PanelLayout{map.in_channels, columns_of(map)}.size();
  return std::make_unique<ChangeOfLayout<&panels::to_panels>>(map, size, "to panels");
}

std::unique_ptr<FloatStep> gather_images_step(const Conv2dShape& map) {
  const int64_t size = PanelLayout{map.in_channels, columns_of(map)}.size();
  return std::make_unique<ChangeOfLayout<&panels::gather_images>>(map, size, "gather images");
}

std::unique_ptr<FloatStep> from_panels_step(const Conv2dShape& map) {
  return std::make_unique<ChangeOfLayout<&panels::from_panels>>(map, map.input_count(),
                                                                "from panels");
}

}  // namespace edgeprune::inference
