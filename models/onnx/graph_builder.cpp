#include "models/onnx/graph_builder.h"

namespace edgeprune::onnx {
namespace {

constexpr int kFirstWithHardSwish = 14;

}  // namespace

std::string GraphBuilder::add(const std::string& op, const std::string& layer,
                              std::vector<std::string> inputs, std::vector<Attribute> attributes) {
  const std::string name = unique(layer + "/" + op);
  model_.nodes.push_back({op, name, std::move(inputs), {name}, std::move(attributes)});
  return name;
}

std::string GraphBuilder::activate(Activation activation, const std::string& layer,
                                   const std::string& value) {
  const auto hard_sigmoid = [&] {
    return add("HardSigmoid", layer, {value}, {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}});
  };
  switch (activation) {
    case Activation::none:
      return value;
    case Activation::relu:
      return add("Relu", layer, {value});
    case Activation::relu6: {
      const float low = 0.0f, high = 6.0f;
      const std::string least = constant<float>(layer + "/least", {}, {&low, 1}),
                        greatest = constant<float>(layer + "/greatest", {}, {&high, 1});
      return add("Clip", layer, {value, least, greatest});
    }
    case Activation::hard_sigmoid:
      return hard_sigmoid();
    case Activation::hard_swish:
      if (model_.opset >= kFirstWithHardSwish) return add("HardSwish", layer, {value});
      return add("Mul", layer, {value, hard_sigmoid()});
    case Activation::silu:
      return add("Mul", layer, {value, add("Sigmoid", layer, {value})});
    case Activation::sigmoid:
      return add("Sigmoid", layer, {value});
  }
  return value;
}

std::string GraphBuilder::as_bytes(const std::string& layer, const std::string& value,
                                   const Grid& grid) {
  const auto zero = static_cast<uint8_t>(grid.zero_point);
  const std::string scale = constant<float>(layer + "/scale", {}, {&grid.scale, 1}),
                    zero_point = constant<uint8_t>(layer + "/zero_point", {}, {&zero, 1});
  const std::string bytes = add("QuantizeLinear", layer, {value, scale, zero_point});
  return add("DequantizeLinear", layer, {bytes, scale, zero_point});
}

}  // namespace edgeprune::onnx
