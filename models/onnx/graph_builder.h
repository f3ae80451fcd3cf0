#pragma once
// Appends to a model's nodes and constants. Nodes, and the one output of each, are called after the layer that they are
// part of and their operator: "features.0.0/Conv".

#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/kernels/activation.h"
#include "engine/kernels/grid.h"
#include "models/onnx/model.h"

namespace edgeprune::onnx {

/// All functions return the name of what they append's output.
class GraphBuilder {
 public:
  explicit GraphBuilder(Model& model) : model_(model) {}

  std::string add(const std::string& op, const std::string& layer, std::vector<std::string> inputs,
                  std::vector<Attribute> attributes = {});

  template <typename T>
  std::string constant(const std::string& name, std::vector<int64_t> dims,
                       std::span<const T> values) {
    model_.initializers.push_back(make_tensor(unique(name), std::move(dims), values));
    return model_.initializers.back().name;
  }

  /// A float32 value: of several in a row, what the activation makes of it.
  std::string activate(Activation activation, const std::string& layer, const std::string& value);

  /// A value as bytes, and those as floats again.
  std::string as_bytes(const std::string& layer, const std::string& value, const Grid& grid);

  /// Integers as floats, with a scale for each index of the first dimension.
  template <typename T>
  std::string by_channel(const std::string& name, std::vector<int64_t> dims,
                         std::span<const T> values, std::span<const float> scales) {
    const std::vector<int64_t> rows{dims.front()};
    std::vector<std::string> inputs{constant(name, std::move(dims), values),
                                    constant(name + "_scale", rows, scales)};
    if constexpr (std::is_same_v<T, int8_t>) {  // of 32 bits it is zero if there is none
      const std::vector<T> zeros(scales.size());
      inputs.push_back(constant<T>(name + "_zero_point", rows, zeros));
    }
    return add("DequantizeLinear", name, std::move(inputs), {{"axis", int64_t{0}}});
  }

 private:
  /// A layer may be called as another one's constant is.
  std::string unique(std::string name) {
    while (!names_.insert(name).second) name += "_";
    return name;
  }

  Model& model_;
  std::set<std::string> names_;
};

}  // namespace edgeprune::onnx
