#pragma once

#include <vector>

#include "models/onnx/model.h"

namespace edgeprune::testing {

/// A model with something in each field; no network.
inline onnx::Model sample_onnx() {
  onnx::Model model{.opset = 13,
                    .producer_version = "1.2",
                    .name = "net",
                    .input = {"images", onnx::DataType::uint8, {onnx::kAnyBatch, 4}},
                    .output = {"logits", onnx::DataType::float32, {1, 2}},
                    .metadata = {{"a", "1"}, {"b", "\"é\""}}};
  const std::vector<int8_t> weights{-127, 0, 127};
  const float scale = 0.25f;
  const std::vector<int64_t> shape{1, -1};
  model.nodes = {{"Conv", "n", {"images", "w"}, {"logits"}, {}}};
  model.nodes[0].attributes = {{"pads", std::vector<int64_t>{0, -1}},
                               {"group", int64_t{3}},
                               {"alpha", 0.5f},
                               {"auto_pad", std::string("NOTSET")},
                               {"value", onnx::make_tensor<int64_t>("v", {2}, shape)}};
  model.initializers.push_back(onnx::make_tensor<int8_t>("w", {3, 1}, weights));
  model.initializers.push_back(onnx::make_tensor<float>("s", {}, {&scale, 1}));
  return model;
}

}  // namespace edgeprune::testing
