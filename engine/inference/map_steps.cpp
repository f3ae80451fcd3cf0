#include "engine/inference/map_steps.h"

#include <algorithm>
#include <stdexcept>

#include "engine/base/parallel.h"
#include "engine/kernels/simd/elementwise.h"
#include "engine/kernels/simd/max_pool.h"

namespace edgeprune::inference {
namespace {

class GlobalAveragePool : public FloatStep {
 public:
  explicit GlobalAveragePool(const Conv2dShape& shape) : shape_(shape) {}
  void run_floats(const float* input, const float*, float* output, float*) override {
    const int64_t pixels = shape_.in_height * shape_.in_width, channels = shape_.in_channels;
    const float scale = 1.0f / static_cast<float>(pixels);
    parallel_for(shape_.batch, 8, [&](int64_t begin, int64_t end, int) {
      for (int64_t n = begin; n < end; ++n) {
        float* to = output + n * channels;
        std::fill_n(to, channels, 0.0f);
        for (int64_t p = 0; p < pixels; ++p) {
          const float* from = input + (n * pixels + p) * channels;
          for (int64_t c = 0; c < channels; ++c) to[c] += scale * from[c];
        }
      }
    });
  }
  int64_t output_size() const override { return shape_.batch * shape_.in_channels; }
  std::string kernel() const override { return "average pool"; }

 private:
  Conv2dShape shape_;
};

class MaxPool : public FloatStep {
 public:
  explicit MaxPool(const Conv2dShape& shape) : shape_(shape) {}
  void run_floats(const float* input, const float*, float* output, float*) override {
    simd::max_pool(shape_, input, output, nullptr);
  }
  int64_t output_size() const override { return shape_.output_count(); }
  std::string kernel() const override { return "max pool"; }

 private:
  Conv2dShape shape_;
};

class Multiply : public FloatStep {
 public:
  explicit Multiply(const Conv2dShape& s)
      : map_{s.batch, s.in_height * s.in_width, s.in_channels} {}
  void run_floats(const float* input, const float* factors, float* output, float*) override {
    simd::scale_channels(map_, input, factors, output);
  }
  int64_t output_size() const override { return map_.images * map_.pixels * map_.channels; }
  std::string kernel() const override { return "multiply"; }

 private:
  simd::ChannelMap map_;
};

class SumAndActivation : public FloatStep {
 public:
  SumAndActivation(const Conv2dShape& shape, Activation activation)
      : size_(shape.output_count()), form_(form_of(activation)) {}
  void run_floats(const float* input, const float* residual, float* output, float*) override {
    parallel_for(size_, 4096, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        output[i] = activate(form_, residual == nullptr ? input[i] : input[i] + residual[i]);
      }
    });
  }
  int64_t output_size() const override { return size_; }
  std::string kernel() const override { return "activation"; }

 private:
  int64_t size_;
  ActivationForm form_;
};

}  // namespace

std::unique_ptr<FloatStep> map_step(const Layer& layer, int64_t batch) {
  Conv2dShape shape = layer.shape;
  shape.batch = batch;
  switch (layer.kind) {
    case Layer::Kind::global_average_pool:
      return std::make_unique<GlobalAveragePool>(shape);
    case Layer::Kind::max_pool:
      return std::make_unique<MaxPool>(shape);
    case Layer::Kind::multiply:
      return std::make_unique<Multiply>(shape);
    case Layer::Kind::activation:
      return std::make_unique<SumAndActivation>(shape, layer.activation);
    case Layer::Kind::convolution:
      break;
  }
  throw std::invalid_argument("[map_step] layer '" + layer.name + "' is a convolution");
}

}  // namespace edgeprune::inference
