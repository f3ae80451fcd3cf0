#include "engine/inference/panel_steps.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/pointwise.h"
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
  std::string kernel() const override { return "csr"; }

 private:
  int64_t columns_;
  sparse::SparseWeights weights_;
  Tensor bias_;
  Activation activation_;
};

class Depthwise : public Step {
 public:
  Depthwise(const Layer& layer, const Conv2dShape& shape)
      : shape_(shape),
        taps_({9, shape.in_channels}),
        bias_(layer.bias),
        activation_(layer.activation) {
    require(layer.residual < 0, "Plan", "depthwise layer '{}' adds a residual", layer.name);
    simd::filters_to_taps(layer.weight.data(), shape.in_channels, taps_.data());
  }
  void run(const float* input, const float*, float* output, float* scratch) override {
    panels::depthwise_forward(shape_, input, taps_.data(), bias_.data(), activation_, scratch,
                              output);
  }
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

class AveragePool : public Step {
 public:
  explicit AveragePool(const Conv2dShape& shape)
      : channels_(shape.in_channels),
        pixels_(shape.in_height * shape.in_width),
        images_(shape.batch) {}
  void run(const float* input, const float*, float* output, float*) override {
    const PanelLayout in{channels_, pixels_ * images_}, out{channels_, images_};
    const float scale = 1.0f / static_cast<float>(pixels_);
    parallel_for(channels_, 64, [&](int64_t begin, int64_t end, int) {
      for (int64_t c = begin; c < end; ++c) {
        for (int64_t n = 0; n < images_; ++n) {
          float sum = 0;
          for (int64_t p = 0; p < pixels_; ++p) sum += input[in.offset(c, p * images_ + n)];
          output[out.offset(c, n)] = sum * scale;
        }
      }
    });
  }
  int64_t output_size() const override { return PanelLayout{channels_, images_}.size(); }
  std::string kernel() const override { return "average pool"; }

 private:
  int64_t channels_, pixels_, images_;
};

enum class Change { to_panels, gather, from_panels };

/// Between [N,pixels,C] and panels.
class Relayout : public Step {
 public:
  Relayout(const Conv2dShape& map, Change change)
      : pixels_(map.in_height * map.in_width),
        channels_(map.in_channels),
        images_(map.batch),
        change_(change) {}
  void run(const float* input, const float*, float* output, float*) override {
    const PanelLayout panels{channels_, pixels_ * images_}, own{channels_, pixels_};
    parallel_for(pixels_, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t p = begin; p < end; ++p) {
        for (int64_t n = 0; n < images_; ++n) {
          const int64_t row = (n * pixels_ + p) * channels_;
          for (int64_t c = 0; c < channels_; ++c) {
            const int64_t at = panels.offset(c, p * images_ + n);
            if (change_ == Change::to_panels) {
              output[at] = input[row + c];
            } else if (change_ == Change::gather) {
              output[at] = input[n * own.size() + own.offset(c, p)];
            } else {
              output[row + c] = input[at];
            }
          }
        }
      }
    });
  }
  int64_t output_size() const override {
    return change_ != Change::from_panels ? PanelLayout{channels_, pixels_ * images_}.size()
                                          : pixels_ * images_ * channels_;
  }
  std::string kernel() const override {
    return change_ == Change::to_panels ? "to panels"
           : change_ == Change::gather  ? "gather images"
                                        : "from panels";
  }

 private:
  int64_t pixels_, channels_, images_;
  Change change_;
};

class Stem : public Step {
 public:
  Stem(const Layer& layer, const Conv2dShape& shape)
      : s_(shape), weights_(layer.weight), bias_(layer.bias), activation_(layer.activation) {}
  void run(const float* input, const float*, float* output, float*) override {
    const PanelLayout out = output_panels(s_);
    parallel_for(s_.out_channels, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t o = begin; o < end; ++o)
        for (int64_t n = 0; n < s_.batch; ++n)
          for (int64_t y = 0; y < s_.out_height(); ++y)
            for (int64_t x = 0; x < s_.out_width(); ++x) {
              float sum = bias_.data()[o];
              for (int i = 0; i < 3; ++i)
                for (int j = 0; j < 3; ++j)
                  for (int c = 0; c < s_.in_channels; ++c) {
                    const int64_t h = 2 * y + i - 1, w = 2 * x + j - 1;
                    if (h < 0 || w < 0 || h >= s_.in_height || w >= s_.in_width) continue;
                    sum += input[((n * s_.in_height + h) * s_.in_width + w) * s_.in_channels + c] *
                           weights_.data()[((o * s_.in_channels + c) * 3 + i) * 3 + j];
                  }
              if (activation_ == Activation::relu6) sum = std::clamp(sum, 0.0f, 6.0f);
              output[out.offset(o, (y * s_.out_width() + x) * s_.batch + n)] = sum;
            }
    });
  }
  int64_t output_size() const override { return output_panels(s_).size(); }
  std::string kernel() const override { return "stem"; }

 private:
  Conv2dShape s_;
  Tensor weights_, bias_;
  Activation activation_;
};

Conv2dShape with_images(const Layer& layer, int64_t images) {
  Conv2dShape shape = layer.shape;
  shape.batch = images;
  return shape;
}

}  // namespace

bool panel_step_exists(const Layer& layer) {
  return layer.kind == Layer::Kind::global_average_pool || layer.shape.pointwise() ||
         simd::depthwise_supported(layer.shape);
}

std::unique_ptr<Step> panel_step(const Layer& layer, int64_t images, bool sparse) {
  const Conv2dShape shape = with_images(layer, images);
  if (layer.kind == Layer::Kind::global_average_pool) return std::make_unique<AveragePool>(shape);
  if (shape.pointwise() && sparse) return std::make_unique<SparsePointwise>(layer, shape);
  if (shape.pointwise()) return std::make_unique<Pointwise>(layer, shape);
  require(simd::depthwise_supported(shape), "Plan",
          "no kernel for layer '{}' ({}x{} kernel, stride {}, {} groups) on panels", layer.name,
          shape.kernel, shape.kernel, shape.stride, shape.groups);
  return std::make_unique<Depthwise>(layer, shape);
}

bool panel_stem_exists(const Layer& layer) {
  const Conv2dShape& s = layer.shape;
  return layer.kind == Layer::Kind::convolution && s.kernel == 3 && s.stride == 2 &&
         s.padding == 1 && s.groups == 1 && s.in_channels <= 4;
}

std::unique_ptr<Step> panel_stem_step(const Layer& layer, int64_t images) {
  return std::make_unique<Stem>(layer, with_images(layer, images));
}

std::unique_ptr<Step> to_panels_step(const Conv2dShape& map) {
  return std::make_unique<Relayout>(map, Change::to_panels);
}

std::unique_ptr<Step> gather_images_step(const Conv2dShape& map, int64_t images) {
  Conv2dShape s = map;
  s.batch = images;
  return std::make_unique<Relayout>(s, Change::gather);
}

std::unique_ptr<Step> from_panels_step(const Conv2dShape& map) {
  return std::make_unique<Relayout>(map, Change::from_panels);
}

}  // namespace edgeprune::inference
