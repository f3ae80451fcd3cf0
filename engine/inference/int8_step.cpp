#include "engine/inference/int8_step.h"

#include <variant>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/int8/conv2d.h"
#include "engine/kernels/int8/depthwise.h"
#include "engine/kernels/int8/elementwise.h"
#include "engine/kernels/int8/maps.h"
#include "engine/kernels/int8/pointwise.h"
#include "engine/kernels/int8/sparse_pointwise.h"

namespace edgeprune::inference {
namespace {

/// Kernels read whole vectors of the last pixel, too.
constexpr int64_t kOverhang = 64;

class Int8Step : public Step {
 public:
  Int8Step(const QuantizedGraph& graph, size_t i, int64_t images, bool sparse)
      : shape_(graph.layers[i].shape),
        input_(graph.grid_of(graph.layers[i].input)),
        output_(graph.layers[i].output, graph.layers[i].activation),
        input_pixel_(graph.layers[i].input < 0 ? image_pixel_bytes(shape_.in_channels)
                                               : pixel_bytes(shape_.in_channels)),
        first_(graph.layers[i].input < 0),
        last_(i + 1 == graph.layers.size()) {
    shape_.batch = images;
    const QuantizedLayer& layer = graph.layers[i];
    if (layer.residual >= 0) {
      const Grid& other = graph.grid_of(layer.residual);
      residual_ = {nullptr, other.scale / output_.grid.scale, other.zero_point};
    }
    if (layer.kind == Layer::Kind::multiply) weights_ = Multiply{graph.grid_of(layer.residual)};
    if (layer.kind == Layer::Kind::max_pool) weights_ = MaxPool();
    if (layer.kind != Layer::Kind::convolution) return;
    weight_bytes_ = std::ssize(layer.weights);
    std::vector<int32_t> bias = layer.bias;
    std::vector<float> multipliers = layer.scales;
    const size_t row = layer.weights.size() / layer.scales.size();
    for (size_t o = 0; o < bias.size(); ++o) {
      int32_t sum = 0;
      for (size_t k = 0; k < row; ++k) sum += layer.weights[o * row + k];
      bias[o] -= input_.zero_point * sum;
      multipliers[o] = input_.scale * layer.scales[o] / (last_ ? 1.0f : output_.grid.scale);
    }
    const int8::RowNumbers numbers{layer.weights.data(), bias.data(), multipliers.data()};
    try {
      if (shape_.groups > 1) {
        weights_ = int8::DepthwiseWeights(numbers, shape_, input_);
      } else if (sparse) {
        weights_ = int8::SparsePointwiseWeights(numbers, shape_.out_channels, shape_.in_channels,
                                                input_.highest);
      } else if (shape_.pointwise()) {
        weights_ = int8::PointwiseWeights(numbers, shape_.out_channels, shape_.in_channels,
                                          input_.highest);
      } else {
        weights_ = int8::Conv2dWeights(numbers, shape_, input_, input_pixel_);
      }
    } catch (const std::invalid_argument& error) {
      require(false, "Plan", "layer '{}': {}", layer.name, error.what());
    }
  }

  void run(const Operands& maps) override {
    const uint8_t* from = nullptr;
    auto* space = reinterpret_cast<uint8_t*>(maps.scratch);
    QuantizedResidual added = residual_;
    added.data = maps.residual.integers();
    uint8_t* const bytes = last_ ? nullptr : maps.output.integers();
    const auto* patches = std::get_if<int8::Conv2dWeights>(&weights_);
    if (first_ && patches != nullptr) {
      return conv2d_images(*patches, shape_, maps.input.floats(), input_, output_, space, bytes);
    }
    if (first_) {
      int8::quantize(maps.input.floats(), pixels(), shape_.in_channels, input_, input_pixel_,
                     space);
      from = space;
      space += image_bytes();
    } else {
      from = maps.input.integers();
    }
    if (const auto* rows = std::get_if<int8::PointwiseWeights>(&weights_)) {
      const int8::Pixels in{from, pixels(), input_pixel_};
      if (last_) {
        pointwise_logits(*rows, in, maps.output.floats());
      } else {
        pointwise(*rows, in, added, output_, bytes);
      }
    } else if (const auto* nonzeros = std::get_if<int8::SparsePointwiseWeights>(&weights_)) {
      sparse_pointwise(*nonzeros, {from, pixels(), input_pixel_}, added, output_, space, bytes);
    } else if (const auto* filters = std::get_if<int8::DepthwiseWeights>(&weights_)) {
      depthwise(*filters, shape_, from, output_, bytes);
    } else if (patches != nullptr) {
      conv2d(*patches, shape_, from, added, output_, space, bytes);
    } else if (std::holds_alternative<MaxPool>(weights_)) {
      int8::max_pool(shape_, from, bytes);
    } else if (const auto* by = std::get_if<Multiply>(&weights_)) {
      int8::scale_channels(shape_.batch, shape_.in_height * shape_.in_width, shape_.in_channels,
                           input_, from, by->factors, added.data, output_.grid, bytes);
    } else {
      int8::global_average_pool(shape_.batch, shape_.in_height * shape_.in_width,
                                shape_.in_channels, input_, from, output_.grid, bytes);
    }
  }

  std::string kernel() const override {
    if (weight_bytes_ == 0) return "int8";
    if (const auto* nonzeros = std::get_if<int8::SparsePointwiseWeights>(&weights_)) {
      return std::string("int8 sparse ") + nonzeros->product();
    }
    const auto* patches = std::get_if<int8::Conv2dWeights>(&weights_);
    if (patches != nullptr) return std::string("int8 ") + patches->rows().product();
    const auto* filters = std::get_if<int8::DepthwiseWeights>(&weights_);
    const char* product = filters != nullptr ? filters->product()
                                             : std::get<int8::PointwiseWeights>(weights_).product();
    return std::string("int8 ") + product;
  }
  int64_t output_bytes() const override {
    const bool pool = std::holds_alternative<Pool>(weights_);
    const int64_t made = shape_.batch * (pool ? 1 : shape_.out_height() * shape_.out_width());
    return made * (last_ ? shape_.out_channels * int64_t{sizeof(float)}
                         : pixel_bytes(shape_.out_channels));
  }
  int64_t scratch_bytes() const override {
    if (const auto* nonzeros = std::get_if<int8::SparsePointwiseWeights>(&weights_)) {
      return thread_count() * sparse_pointwise_scratch_size(*nonzeros);
    }
    const auto* patches = std::get_if<int8::Conv2dWeights>(&weights_);
    if (patches != nullptr) {
      return thread_count() * conv2d_scratch_size(*patches, shape_) + kOverhang;
    }
    return first_ ? image_bytes() : 0;
  }
  bool integers() const override { return true; }
  bool zeros_pay() const { return std::get<int8::SparsePointwiseWeights>(weights_).pays(pixels()); }
  int64_t weight_bytes() const override {
    const auto* nonzeros = std::get_if<int8::SparsePointwiseWeights>(&weights_);
    return nonzeros != nullptr ? nonzeros->bytes() : weight_bytes_;
  }
  double density() const override {
    const auto* nonzeros = std::get_if<int8::SparsePointwiseWeights>(&weights_);
    return nonzeros != nullptr ? nonzeros->density() : 1;
  }

 private:
  struct Pool {};
  struct MaxPool {};
  struct Multiply {
    Grid factors;
  };

  int64_t pixels() const { return shape_.batch * shape_.in_height * shape_.in_width; }
  int64_t image_bytes() const {  // so that what follows is aligned
    return (pixels() * input_pixel_ + kOverhang + 127) / 128 * 128;
  }

  Conv2dShape shape_;
  Grid input_;
  Ending output_;
  QuantizedResidual residual_;
  int64_t input_pixel_, weight_bytes_ = 0;
  bool first_, last_;
  std::variant<Pool, MaxPool, Multiply, int8::PointwiseWeights, int8::SparsePointwiseWeights,
               int8::DepthwiseWeights, int8::Conv2dWeights>
      weights_;
};

class QuantizeStep : public Step {
 public:
  explicit QuantizeStep(const Conv2dShape& map) : map_(map) {}
  void run(const Operands& maps) override {
    int8::quantize(maps.input.floats(), map_.batch * map_.in_height * map_.in_width,
                   map_.in_channels, maps.output.grid, pixel_bytes(map_.in_channels),
                   maps.output.integers());
  }
  int64_t output_bytes() const override {
    return map_.batch * map_.in_height * map_.in_width * pixel_bytes(map_.in_channels);
  }
  std::string kernel() const override { return "to int8"; }

 private:
  Conv2dShape map_;
};

class DequantizeStep : public Step {
 public:
  explicit DequantizeStep(const Conv2dShape& map) : map_(map) {}
  void run(const Operands& maps) override {
    int8::dequantize(maps.input.integers(), map_.batch * map_.in_height * map_.in_width,
                     map_.in_channels, maps.input.grid, maps.output.floats());
  }
  int64_t output_bytes() const override { return map_.input_count() * int64_t{sizeof(float)}; }
  std::string kernel() const override { return "from int8"; }

 private:
  Conv2dShape map_;
};

}  // namespace

std::unique_ptr<Step> quantize_step(const Conv2dShape& map) {
  return std::make_unique<QuantizeStep>(map);
}

std::unique_ptr<Step> dequantize_step(const Conv2dShape& map) {
  return std::make_unique<DequantizeStep>(map);
}

std::unique_ptr<Step> int8_step(const QuantizedGraph& graph, size_t i, int64_t images) {
  return std::make_unique<Int8Step>(graph, i, images, false);
}

std::unique_ptr<Step> int8_sparse_step(const QuantizedGraph& graph, size_t i, int64_t images) {
  return std::make_unique<Int8Step>(graph, i, images, true);
}

bool int8_sparse_step_pays(const QuantizedGraph& graph, size_t i, int64_t images) {
  return Int8Step(graph, i, images, true).zeros_pay();
}

}  // namespace edgeprune::inference
