#include "engine/inference/int8_step.h"

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/int8/elementwise.h"

namespace edgeprune::inference {

Int8Step::Int8Step(const QuantizedGraph& graph, size_t i)
    : name_(graph.layers[i].name),
      shape_(graph.layers[i].shape),
      input_(graph.grid_of(graph.layers[i].input)),
      output_(graph.layers[i].output),
      input_pixel_(graph.layers[i].input < 0 ? image_pixel_bytes(shape_.in_channels)
                                             : pixel_bytes(shape_.in_channels)),
      last_(i + 1 == graph.layers.size()) {
  const QuantizedLayer& layer = graph.layers[i];
  if (layer.residual >= 0) {
    const Grid& other = graph.grid_of(layer.residual);
    residual_ = {nullptr, other.scale / output_.scale, other.zero_point};
  }
  if (layer.kind != Layer::Kind::convolution) return;
  std::vector<int32_t> bias = layer.bias;
  std::vector<float> multipliers = layer.scales;
  const size_t row = layer.weights.size() / layer.scales.size();
  for (size_t o = 0; o < bias.size(); ++o) {
    int32_t sum = 0;
    for (size_t k = 0; k < row; ++k) sum += layer.weights[o * row + k];
    bias[o] -= input_.zero_point * sum;
    multipliers[o] = input_.scale * layer.scales[o] / (last_ ? 1.0f : output_.scale);
  }
  const int8::RowNumbers numbers{layer.weights.data(), bias.data(), multipliers.data()};
  try {
    if (shape_.groups > 1) {
      weights_ = int8::DepthwiseWeights(numbers, shape_, input_);
    } else if (shape_.pointwise()) {
      weights_ =
          int8::PointwiseWeights(numbers, shape_.out_channels, shape_.in_channels, input_.highest);
    } else {
      weights_ = int8::Conv2dWeights(numbers, shape_, input_, input_pixel_);
    }
  } catch (const std::invalid_argument& error) {
    require(false, "Int8Plan", "layer '{}': {}", name_, error.what());
  }
}

void Int8Step::run(int64_t images, const uint8_t* input, const uint8_t* residual, void* output,
                   uint8_t* scratch) const {
  Conv2dShape shape = shape_;
  shape.batch = images;
  QuantizedResidual added = residual_;
  added.data = residual;
  auto* const bytes = static_cast<uint8_t*>(output);
  const int64_t pixels = shape.in_height * shape.in_width;
  if (const auto* rows = std::get_if<int8::PointwiseWeights>(&weights_)) {
    const int8::Pixels in{input, images * pixels, input_pixel_};
    if (last_) {
      pointwise_logits(*rows, in, static_cast<float*>(output));
    } else {
      pointwise(*rows, in, added, output_, bytes);
    }
  } else if (const auto* filters = std::get_if<int8::DepthwiseWeights>(&weights_)) {
    depthwise(*filters, shape, input, output_, bytes);
  } else if (const auto* patches = std::get_if<int8::Conv2dWeights>(&weights_)) {
    conv2d(*patches, shape, input, added, output_, scratch, bytes);
  } else {
    int8::global_average_pool(images, pixels, shape.in_channels, input_, input, output_, bytes);
  }
}

std::string Int8Step::kernel() const {
  if (std::holds_alternative<Pool>(weights_)) return "int8";
  const auto* patches = std::get_if<int8::Conv2dWeights>(&weights_);
  if (patches != nullptr) return std::string("int8 ") + patches->rows().product();
  const auto* filters = std::get_if<int8::DepthwiseWeights>(&weights_);
  const char* product = filters != nullptr ? filters->product()
                                           : std::get<int8::PointwiseWeights>(weights_).product();
  return std::string("int8 ") + product;
}

int64_t Int8Step::output_bytes() const {
  const bool pool = std::holds_alternative<Pool>(weights_);
  const int64_t pixels = pool ? 1 : shape_.out_height() * shape_.out_width();
  return pixels * (last_ ? shape_.out_channels * static_cast<int64_t>(sizeof(float))
                         : pixel_bytes(shape_.out_channels));
}

int64_t Int8Step::scratch_size() const {
  const auto* weights = std::get_if<int8::Conv2dWeights>(&weights_);
  return weights != nullptr ? thread_count() * conv2d_scratch_size(*weights, shape_) : 0;
}

double Int8Step::multiply_adds() const {
  return std::holds_alternative<Pool>(weights_) ? 0.0 : double(shape_.multiply_adds());
}

}  // namespace edgeprune::inference
