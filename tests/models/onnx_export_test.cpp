#include "models/onnx_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/fold.h"
#include "models/onnx/import.h"
#include "models/onnx/read.h"
#include "models/onnx/write.h"
#include "tests/models/checkpoint_file.h"
#include "tests/models/onnx/decoded.h"
#include "tests/support/message_of.h"
#include "tests/support/small_graphs.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::DecodedModel;
using testing::DecodedTensor;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::FloatEq;

DecodedModel exported(const nn::Network& network, const ModelInfo& info,
                      const onnx::ExportOptions& options = {}) {
  return testing::decode(onnx::serialize(onnx::to_onnx(network, info, options)));
}

TEST(OnnxExport, BatchNormIsFoldedAndEveryWeightIsThere) {
  const auto network = testing::trained_model(testing::small());
  const DecodedModel model = exported(*network, testing::sample_info());
  EXPECT_EQ(model.opset, 17);
  EXPECT_EQ(model.graph, "mobilenet_v2");
  EXPECT_EQ(model.count("Conv"), 52);
  EXPECT_EQ(model.count("Clip"), 35);
  EXPECT_EQ(model.count("Add"), 11);                 // at width 0.25 the first block has one, too
  EXPECT_EQ(model.nodes.size(), 52u + 35 + 11 + 3);  // pool, flatten, linear layer
  const inference::Graph folded = fold_batch_norm(*network);
  EXPECT_EQ(model.constants.size(), 2 * folded.layers.size() - 2 + 2 * 35);  // the pool has none
  for (const auto& layer : folded.layers) {
    if (layer.kind != inference::Layer::Kind::convolution) continue;
    const DecodedTensor &weight = model.constants.at(layer.name + ".weight"),
                        &bias = model.constants.at(layer.name + ".bias");
    EXPECT_THAT(weight.values<float>(), ElementsAreArray(layer.weight.values())) << layer.name;
    EXPECT_THAT(bias.values<float>(), ElementsAreArray(layer.bias.values())) << layer.name;
    if (layer.name == "classifier.1") continue;
    EXPECT_THAT(weight.dims, ElementsAreArray(layer.weight.shape().dims())) << layer.name;
    const auto& conv = model.node(layer.name + "/Conv");
    EXPECT_THAT(conv.ints.at("group"), ElementsAre(layer.shape.groups));
    EXPECT_THAT(conv.ints.at("strides"), AllOf(::testing::SizeIs(2), Each(layer.shape.stride)));
    EXPECT_THAT(conv.ints.at("pads"), AllOf(::testing::SizeIs(4), Each(layer.shape.padding)));
    EXPECT_THAT(conv.ints.at("kernel_shape"),
                AllOf(::testing::SizeIs(2), Each(layer.shape.kernel)));
  }
  EXPECT_EQ(model.constants.at("classifier.1.weight").dims.size(), 2u);
  const auto& head = model.nodes.back();
  EXPECT_EQ(head.op, "Gemm");
  EXPECT_THAT(head.ints.at("transB"), ElementsAre(1));
  EXPECT_THAT(head.outputs, ElementsAre("logits"));
  EXPECT_THAT(model.inputs[0].dims, ElementsAre("1", "3", "32", "32"));
  EXPECT_THAT(model.outputs[0].dims, ElementsAre("1", "10"));
  const DecodedModel eight = exported(*network, testing::sample_info(), {.batch = 8});
  EXPECT_THAT(eight.inputs[0].dims, ElementsAre("8", "3", "32", "32"));
  EXPECT_THAT(eight.outputs[0].dims, ElementsAre("8", "10"));
}

TEST(OnnxExport, MetadataAreACheckpoints) {
  const ModelInfo info = testing::sample_info();
  auto expected = metadata_of(info);
  expected["network"] = "mobilenet_v2";
  EXPECT_EQ(exported(*testing::trained_model(testing::small()), info).metadata, expected);
  EXPECT_EQ(nlohmann::json::parse(expected.at("classes")), info.classes);
  EXPECT_EQ(nlohmann::json::parse(expected.at("history")), info.history);
  EXPECT_EQ(nlohmann::json::parse(expected.at("normalisation")).at("std"), info.std);
  EXPECT_EQ(expected.at("resize"), "\"squash\"");
}

TEST(OnnxExport, PixelsBecomeNormalisedNumbers) {
  const auto network = testing::trained_model(testing::small());
  const DecodedModel model =
      exported(*network, testing::sample_info(), {.batch = onnx::kAnyBatch, .preprocess = true});
  EXPECT_EQ(model.inputs[0].type, 2);  // UINT8
  EXPECT_THAT(model.inputs[0].dims, ElementsAre("batch", "32", "32", "3"));
  EXPECT_THAT(model.outputs[0].dims, ElementsAre("batch", "10"));
  EXPECT_THAT(model.node("normalise/Transpose").inputs, ElementsAre("images"));
  EXPECT_THAT(model.node("normalise/Transpose").ints.at("perm"), ElementsAre(0, 3, 1, 2));
  EXPECT_THAT(model.node("normalise/Cast").ints.at("to"), ElementsAre(1));
  EXPECT_EQ(model.node("features.0.0/Conv").inputs[0], "normalise/Add");
  // (x / 255 - mean) / std, of means 0.1, 0.2, 0.3 and deviations 0.4, 0.5, 0.6.
  EXPECT_THAT(model.constants.at("normalise.factors").values<float>(),
              ElementsAre(FloatEq(1 / 102.0f), FloatEq(1 / 127.5f), FloatEq(1 / 153.0f)));
  EXPECT_THAT(model.constants.at("normalise.shifts").values<float>(),
              ElementsAre(FloatEq(-0.25f), FloatEq(-0.4f), FloatEq(-0.5f)));
}

TEST(OnnxExport, OlderOperatorsMakeUpForHardSwish) {
  nn::Network network(testing::squeeze_and_excite_graph(Activation::hard_swish), 1);
  ModelInfo info;
  const DecodedModel newer = exported(network, info, {.opset = 14}),
                     older = exported(network, info, {.opset = 13});
  EXPECT_EQ(newer.count("HardSwish"), 1);
  EXPECT_EQ(older.count("HardSwish"), 0);
  EXPECT_EQ(older.opset, 13);
  const auto& product = older.node("excite.fc2/Mul");
  EXPECT_THAT(product.inputs, ElementsAre("excite.fc2/Conv", "excite.fc2/HardSigmoid"));
  const auto& sigmoid = older.node("excite.fc2/HardSigmoid");
  EXPECT_EQ(sigmoid.floats.at("alpha"), 1.0f / 6.0f);
  EXPECT_EQ(sigmoid.floats.at("beta"), 0.5f);
  EXPECT_EQ(newer.node("excite/Mul").inputs.size(), 2u);
}

std::vector<Activation> activations_of(const Graph& graph) {
  std::vector<Activation> result;
  for (const Node& node : graph.nodes) {
    const auto* const activate = std::get_if<kind::Activate>(&node.kind);
    if (activate != nullptr) result.push_back(activate->activation);
  }
  return result;
}

TEST(OnnxExport, WhatIsImportedAgainHasTheSameWeights) {
  for (const Graph& graph :
       {testing::small(), testing::squeeze_and_excite_graph(Activation::hard_sigmoid),
        testing::squeeze_and_excite_graph(Activation::sigmoid),
        testing::squeeze_and_excite_graph(Activation::silu)}) {
    nn::Network network(graph, 1);
    network.train(false);
    const auto folded = without_batch_norm(network);
    const Archive archive = onnx::to_archive(onnx::parse(
        onnx::serialize(onnx::to_onnx(network, testing::sample_info(), {.opset = 13}))));
    nn::Network again(parse_json(archive.metadata.at("graph"), "graph").get<Graph>());
    again.load_state_dict(archive.arrays);
    const auto expected = folded->state_dict(), found = again.state_dict();
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, array] : expected) EXPECT_EQ(found.at(name).bytes, array.bytes) << name;
    EXPECT_EQ(archive.metadata.at("classes"), metadata_of(testing::sample_info()).at("classes"));
    EXPECT_TRUE(archive.notes.empty());
    EXPECT_EQ(activations_of(again.graph()), activations_of(folded->graph()));
  }
}

TEST(OnnxExport, OtherOpsetsAreRefused) {
  nn::Network network(testing::squeeze_and_excite_graph(), 1);
  for (const int opset : {12, 18}) {
    EXPECT_EQ(testing::message_of<std::invalid_argument>(
                  [&] { onnx::to_onnx(network, {}, {.opset = opset}); }),
              fmt::format("[onnx] expected an opset from 13 to 17, got {}", opset));
  }
}

TEST(OnnxExport, AConvolutionOfALinearLayersOutputIsRefused) {
  Graph graph{"odd", 1.0, {}};
  size_t last = graph.append("images", kind::Input{3, 8, 8}, {});
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  last = graph.append("hidden", kind::Linear{4}, {last});
  last = graph.append("conv", kind::Convolution{4, 1, 1, 0, true}, {last});
  graph.append("head", kind::Linear{2}, {last});
  EXPECT_THAT(
      testing::message_of<std::invalid_argument>([&] { onnx::to_onnx(nn::Network(graph, 1), {}); }),
      ::testing::HasSubstr("'conv' is a convolution of what a linear layer puts out"));
}

/// Two convolutions on 2x2 images of which the second adds the first's output; a pool; a linear layer.
class QuantizedExport : public ::testing::Test {
 protected:
  QuantizedExport() { make(Activation::relu6); }
  void make(Activation activation) {
    Graph graph{"two", 1.0, {}};
    const size_t images = graph.append("images", kind::Input{3, 2, 2}, {});
    size_t last = graph.append("a", kind::Convolution{2, 1, 1, 0, true}, {images});
    const size_t a = graph.append("a.act", kind::Activate{activation}, {last});
    last = graph.append("b", kind::Convolution{2, 1, 1, 0, true}, {a});
    last = graph.append("sum", kind::Add{}, {a, last});
    last = graph.append("pool", kind::GlobalAveragePool{}, {last});
    graph.append("head", kind::Linear{2}, {last});
    network = std::make_unique<nn::Network>(graph);
    info.quantization.emplace();
    auto& [outputs, scales] = *info.quantization;
    outputs = {{"images", {0.5f, 100, 0, 255}},
               {"a.act", {0.25f, 0, 0, 127}},
               {"sum", {0.5f, 64, 0, 255}},
               {"pool", {0.125f, 64, 0, 255}}};
    scales = {{"a", {0.5f, 0.25f}}, {"b", {1.0f, 2.0f}}, {"head", {1.0f, 1.0f}}};
    set("a.weight", {0.5f, -63.5f, 0.0f, 0.25f, 0.5f, 31.75f});
    set("a.bias", {1.0f, -0.125f});
    set("b.weight", {3.0f, 0.0f, 0.0f, -254.0f});
    set("b.bias", {1.0f, 4.0f});
    set("head.weight", {1.0f, 2.0f, 3.0f, 4.0f});
    set("head.bias", {0.25f, 0.0f});
  }
  void set(const std::string& name, const std::vector<float>& values) {
    auto arrays = network->state_dict();
    const Tensor before = arrays.at(name).to_tensor(name);
    arrays[name] = Array::from(Tensor(before.shape(), values));
    network->load_state_dict(arrays);
  }

  std::unique_ptr<nn::Network> network;
  ModelInfo info;
};

TEST_F(QuantizedExport, IntegersStandBetweenQuantizeAndDequantizeLinear) {
  const DecodedModel model = exported(*network, info);
  std::vector<std::string> operators;
  for (const auto& node : model.nodes) operators.push_back(node.op);
  const std::string q = "QuantizeLinear", dq = "DequantizeLinear";
  EXPECT_THAT(operators, ElementsAre(q, dq,                                // images
                                     dq, dq, "Conv", q, dq,                // a, without Clip
                                     dq, dq, "Conv", q, dq, "Add", q, dq,  // b, sum
                                     "GlobalAveragePool", q, dq, "Flatten", q, dq,  // pool
                                     dq, dq, "Gemm"));
  EXPECT_THAT(model.node("b/Add").inputs,
              ElementsAre("b/summand/DequantizeLinear", "a/DequantizeLinear"));
  EXPECT_THAT(model.node("a/Conv").inputs,
              ElementsAre("images/DequantizeLinear", "a.weight/DequantizeLinear",
                          "a.bias/DequantizeLinear"));
  EXPECT_THAT(model.node("a.weight/DequantizeLinear").inputs,
              ElementsAre("a.weight", "a.weight_scale", "a.weight_zero_point"));
  EXPECT_THAT(model.node("a.weight/DequantizeLinear").ints.at("axis"), ElementsAre(0));
  EXPECT_THAT(model.nodes.back().outputs, ElementsAre("logits"));
}

TEST_F(QuantizedExport, OfFloatsTheActivationsStay) {
  info.quantization->weight_scales.erase("a");
  info.quantization->outputs.erase("images");
  const DecodedModel model = exported(*network, info);
  EXPECT_EQ(model.count("Clip"), 1);
  EXPECT_THAT(model.node("a/QuantizeLinear").inputs, Contains("a/Clip"));
  EXPECT_THAT(model.node("a/Conv").inputs, ElementsAre("images", "a.weight", "a.bias"));
  EXPECT_EQ(model.constants.at("a.weight").type, 1);
}

TEST_F(QuantizedExport, WhatBendsIsSaidBehindIntegersToo) {
  make(Activation::hard_swish);
  const DecodedModel model = exported(*network, info);
  EXPECT_THAT(model.node("a/HardSwish").inputs, ElementsAre("a/Conv"));
  EXPECT_THAT(model.node("a/QuantizeLinear").inputs, Contains("a/HardSwish"));
  EXPECT_THAT(model.node("a/Conv").inputs, Contains("a.weight/DequantizeLinear"));
}

TEST_F(QuantizedExport, GridsHaveAllStepsOfTheSameRange) {
  const DecodedModel model = exported(*network, info);
  const auto expect_grid = [&](const std::string& name, float scale, uint8_t zero_point) {
    const DecodedTensor &found_scale = model.constants.at(name + "/scale"),
                        &found_zero = model.constants.at(name + "/zero_point");
    EXPECT_THAT(found_scale.dims, ElementsAre()) << name;  // of rank 0
    EXPECT_THAT(found_zero.dims, ElementsAre()) << name;
    EXPECT_EQ(found_zero.type, 2) << name;  // UINT8
    EXPECT_THAT(found_scale.values<float>(), ElementsAre(FloatEq(scale))) << name;
    EXPECT_THAT(found_zero.values<uint8_t>(), ElementsAre(zero_point)) << name;
  };
  expect_grid("images", 0.5f, 100);
  expect_grid("a", 0.25f * 127 / 255, 0);
  expect_grid("b", 0.5f, 64);
  expect_grid("pool", 0.125f, 64);
  expect_grid("head/input", 0.125f, 64);
  // The sum is from -32 to 95.5, what is added from 0 to 31.75: the summand from -63.75 to 95.5.
  expect_grid("b/summand", 159.25f / 255, 102);
}

TEST_F(QuantizedExport, WeightsAreOursAndBiasesFitTheFinerInputs) {
  const DecodedModel model = exported(*network, info);
  EXPECT_THAT(model.constants.at("a.weight").values<int8_t>(), ElementsAre(1, -127, 0, 1, 2, 127));
  EXPECT_THAT(model.constants.at("a.weight").dims, ElementsAre(2, 3, 1, 1));
  EXPECT_THAT(model.constants.at("a.weight_scale").values<float>(), ElementsAre(0.5f, 0.25f));
  EXPECT_THAT(model.constants.at("a.weight_zero_point").values<int8_t>(), ElementsAre(0, 0));
  EXPECT_EQ(model.constants.at("a.bias").type, 6);  // INT32
  EXPECT_THAT(model.constants.at("a.bias").values<int32_t>(), ElementsAre(4, -1));
  EXPECT_THAT(model.constants.at("a.bias_scale").values<float>(), ElementsAre(0.25f, 0.125f));
  EXPECT_THAT(model.constants.at("b.bias").values<int32_t>(), ElementsAre(8, 16));  // 8.03, 16.06
  EXPECT_THAT(model.constants.at("head.weight").dims, ElementsAre(2, 2));
}

TEST_F(QuantizedExport, ABiasBeyond32BitsTakesACoarserRow) {
  info.quantization->weight_scales["b"] = {0x1p-28f, 2.0f};
  set("b.weight", {100 * 0x1p-28f, -3 * 0x1p-28f, 0.0f, -254.0f});
  set("b.bias", {1.0f, 4.0f});  // 2^30 in steps of 2^-2 * 2^-28, 2.16e9 in those of the finer input
  const DecodedModel model = exported(*network, info);
  const auto bias = model.constants.at("b.bias").values<int32_t>();
  const auto scales = model.constants.at("b.weight_scale").values<float>();
  EXPECT_NEAR(bias[0], 0x1p30, 200);
  EXPECT_FLOAT_EQ(scales[0], 0x1p-28f * 255 / 127);
  EXPECT_THAT(model.constants.at("b.weight").values<int8_t>(), ElementsAre(50, -1, 0, -127));
  EXPECT_EQ(scales[1], 2.0f);
}

}  // namespace
}  // namespace edgeprune
