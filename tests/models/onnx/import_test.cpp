#include "models/onnx/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "engine/base/json.h"
#include "engine/graph/graph.h"
#include "models/onnx/graph_builder.h"
#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

using onnx::Attribute;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> counting(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

/// Builds models as exporters do.
class OnnxImport : public ::testing::Test {
 protected:
  std::string floats(const std::string& name, std::vector<int64_t> dims) {
    const auto values =
        counting(std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>()));
    return to.constant<float>(name, std::move(dims), values);
  }
  std::string whole(const std::string& name, const std::vector<int64_t>& values) {
    return to.constant<int64_t>(name, {std::ssize(values)}, values);
  }
  /// A 1x1 convolution of 3 to `outs` channels, for what is added to it.
  std::string point(const std::string& name, const std::string& input, int64_t outs = 3) {
    return to.add("Conv", name, {input, floats(name + ".weight", {outs, 3, 1, 1})});
  }
  /// The pool and the linear layer that end a network, behind a map of 3 channels.
  Archive finished(const std::string& map) {
    std::string value = to.add("GlobalAveragePool", "pool", {map});
    value = to.add("Flatten", "flat", {value}, {{"axis", int64_t{1}}});
    return ended(to.add("Gemm", "fc", {value, floats("fc.weight", {2, 3}), floats("fc.bias", {2})},
                        {{"transB", int64_t{1}}}));
  }
  Archive ended(const std::string& logits) {
    model.output.name = logits;
    return onnx::to_archive(model);
  }
  static Graph graph_of(const Archive& archive) {
    return parse_json(archive.metadata.at("graph"), "graph").get<Graph>();
  }
  std::vector<std::string> kinds_of(const Archive& archive) {
    std::vector<std::string> kinds;
    for (const edgeprune::Node& node : graph_of(archive).nodes)
      kinds.emplace_back(name_of(node.kind));
    return kinds;
  }
  std::string refusal(const std::function<void()>& action) {
    return testing::message_of<std::invalid_argument>(action);
  }

  onnx::Model model{.opset = 17,
                    .input = {"x", onnx::DataType::float32, {onnx::kAnyBatch, 3, 8, 8}},
                    .output = {"y", onnx::DataType::float32, {onnx::kAnyBatch, 2}}};
  onnx::GraphBuilder to{model};
};

TEST_F(OnnxImport, EveryKindOfNode) {
  const std::vector<int64_t> three(2, 3), two(2, 2), ones(4, 1);
  std::string value =
      to.add("Conv", "stem", {"x", floats("stem.weight", {4, 3, 3, 3})},
             {{"kernel_shape", three}, {"strides", two}, {"pads", ones}, {"group", int64_t{1}}});
  value = to.add(
      "BatchNormalization", "norm",
      {value, floats("norm.weight", {4}), floats("b", {4}), floats("m", {4}), floats("v", {4})},
      {{"epsilon", 1e-3f}});
  value = to.activate(Activation::relu6, "act", value);
  value = to.add("Conv", "depth",
                 {value, floats("depth.weight", {4, 1, 3, 3}), floats("depth.bias", {4})},
                 {{"pads", ones}, {"group", int64_t{4}}});
  const std::string wide = to.activate(Activation::hard_swish, "swish", value);
  std::string factors = to.add("GlobalAveragePool", "se", {wide});
  factors = to.add("Conv", "se1", {factors, floats("se1.weight", {4, 4, 1, 1})});
  factors = to.activate(Activation::hard_sigmoid, "gate", factors);
  value = to.add("Mul", "excite", {factors, wide});  // factors first
  value = to.add("MaxPool", "max", {value}, {{"kernel_shape", two}, {"strides", two}});
  value = to.add("Add", "sum", {value, to.activate(Activation::relu, "relu", value)});
  value = to.add("ReduceMean", "mean", {value},
                 {{"axes", std::vector<int64_t>{-1, -2}}, {"keepdims", int64_t{0}}});
  value = to.add("Identity", "same", {value});
  value = to.add("Gemm", "head", {value, floats("head.weight", {2, 4}), floats("head.bias", {2})},
                 {{"transB", int64_t{1}}});
  const Archive archive = ended(value);
  const Graph graph = graph_of(archive);
  EXPECT_THAT(kinds_of(archive),
              ElementsAre("input", "convolution", "batch_norm", "activate", "depthwise", "activate",
                          "global_average_pool", "convolution", "activate", "multiply", "max_pool",
                          "activate", "add", "global_average_pool", "linear"));
  const auto& stem = std::get<kind::Convolution>(graph.nodes[1].kind);
  EXPECT_EQ(std::tie(stem.out_channels, stem.kernel, stem.stride, stem.padding, stem.bias),
            std::tuple(4, 3, 2, 1, false));
  EXPECT_EQ(graph.nodes[1].name, "stem");
  EXPECT_EQ(std::get<kind::BatchNorm>(graph.nodes[2].kind).eps, 1e-3f);
  EXPECT_TRUE(std::get<kind::Depthwise>(graph.nodes[4].kind).bias);
  EXPECT_EQ(std::get<kind::Activate>(graph.nodes[5].kind).activation, Activation::hard_swish);
  EXPECT_THAT(graph.nodes[9].inputs, ElementsAre(5u, 8u));  // the map first
  EXPECT_EQ(archive.at("norm.running_var").to_tensor("v").values()[3], 4.0f);
  EXPECT_EQ(archive.at("stem.weight").shape, (Shape{4, 3, 3, 3}));
  EXPECT_EQ(archive.arrays.size(), 1u + 5 + 2 + 1 + 2);
  EXPECT_EQ(archive.metadata.at("format"), "edgeprune/1");
  EXPECT_EQ(archive.metadata.at("classes"), R"(["class 0","class 1"])");
  EXPECT_EQ(archive.metadata.at("history"), R"([{"step":"import"}])");
}

TEST_F(OnnxImport, AMatrixProductAndASumAreALinearLayer) {
  std::string value = to.add("GlobalAveragePool", "pool", {"x"});
  value = to.add("Reshape", "flat", {value, whole("shape", {1, -1})});
  value = to.add("MatMul", "fc", {value, floats("matrix", {3, 2})});
  value = to.add("Add", "bias", {floats("fc.bias", {2}), value});
  const Archive archive = ended(value);
  EXPECT_THAT(kinds_of(archive), ElementsAre("input", "global_average_pool", "linear"));
  const std::string name = graph_of(archive).nodes[2].name;
  EXPECT_THAT(archive.at(name + ".weight").to_tensor("w").values(), ElementsAre(1, 3, 5, 2, 4, 6));
  EXPECT_THAT(archive.at(name + ".bias").to_tensor("b").values(), ElementsAre(1, 2));
}

TEST_F(OnnxImport, HardSwishOfOldOperatorsAndWhatNobodyReads) {
  const std::string conv = point("conv", "x");
  model.opset = 13;
  const std::string swish = to.activate(Activation::hard_swish, "swish", conv);
  point("unread", conv);
  const Archive archive = finished(swish);
  EXPECT_THAT(kinds_of(archive),
              ElementsAre("input", "convolution", "activate", "global_average_pool", "linear"));
  EXPECT_EQ(std::get<kind::Activate>(graph_of(archive).nodes[2].kind).activation,
            Activation::hard_swish);
  EXPECT_FALSE(archive.arrays.contains("unread.weight"));
  EXPECT_THAT(archive.notes, ElementsAre(HasSubstr("normalised as ImageNet")));
}

TEST_F(OnnxImport, ConstantsMayBeNodes) {
  const float six = 6.0f, zero = 0.0f;
  const std::string low = to.add("Constant", "low", {},
                                 {{"value", onnx::make_tensor<float>("", {}, {&zero, 1})}}),
                    high = to.add("Constant", "high", {},
                                  {{"value", onnx::make_tensor<float>("", {}, {&six, 1})}});
  const std::string same = to.add("Identity", "same", {high});
  const Archive archive = finished(to.add("Clip", "clip", {point("conv", "x"), low, same}));
  EXPECT_EQ(kinds_of(archive)[2], "activate");
}

TEST_F(OnnxImport, MetadataOfOursAndZerosStay) {
  model.metadata = {
      {"classes", R"(["a","b"])"}, {"history", R"([{"step":"train"}])"}, {"other", "x"}};
  const std::vector<float> zeros(9);
  const std::string value =
      to.add("Conv", "conv", {"x", to.constant<float>("conv.weight", {3, 3, 1, 1}, zeros)});
  const Archive archive = finished(value);
  EXPECT_EQ(archive.metadata.at("classes"), R"(["a","b"])");
  EXPECT_EQ(archive.metadata.at("history"),
            R"([{"step":"train"},{"pruned":true,"step":"import"}])");
  EXPECT_FALSE(archive.metadata.contains("other"));
}

TEST_F(OnnxImport, WhatAGraphCannotSayIsNamed) {
  const std::vector<int64_t> two(2, 2), uneven{0, 0, 1, 1}, wide{1, 3};
  const auto refused = [&](const std::string& op, std::vector<std::string> inputs,
                           std::vector<Attribute> attributes) {
    const auto nodes = model.nodes;
    const std::string name = to.add(op, "n", std::move(inputs), std::move(attributes));
    const std::string message = refusal([&] { ended(name); });
    model.nodes = nodes;
    return message;
  };
  const std::string weight = floats("w", {3, 3, 3, 3}), small = floats("low", {1});
  EXPECT_EQ(refused("Sigmoid", {"x"}, {}),
            "[onnx] Sigmoid 'n/Sigmoid': an operator that edgeprune's graphs do not have");
  EXPECT_THAT(
      refused("QuantizeLinear", {"x"}, {}),
      HasSubstr(
          "QuantizeLinear 'n/QuantizeLinear': a network in integers; expected the one in floats"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"pads", uneven}}),
              HasSubstr("its pads are [0,0,1,1], expected them to be the same"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"strides", wide}}),
              HasSubstr("its strides are [1,3]"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"dilations", two}}), HasSubstr("it is dilated"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"auto_pad", std::string("SAME_UPPER")}}),
              HasSubstr("auto_pad SAME_UPPER is not known"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"group", int64_t{3}}}),
              HasSubstr("3 groups, expected 1 or one a channel"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"group", 1.0f}}),
              HasSubstr("'group' is of another type"));
  EXPECT_THAT(refused("Conv", {"x", "x"}, {}), HasSubstr("its input 'x' is no constant"));
  EXPECT_THAT(refused("Conv", {"x"}, {}), HasSubstr("it has 1 inputs, expected more"));
  EXPECT_THAT(refused("Conv", {"z", weight}, {}),
              HasSubstr("it reads 'z', which nothing before it puts out"));
  EXPECT_THAT(refused("Conv", {"x", whole("i", {1})}, {}), HasSubstr("is of type 7, expected 1"));
  EXPECT_THAT(refused("Clip", {"x", small}, {{"max", 6.0f}}),
              HasSubstr("from 1 to 6, expected 0 to 6"));
  const std::vector<float> none;
  EXPECT_THAT(refused("Clip", {"x", to.constant<float>("none", {0}, none)}, {}),
              HasSubstr("its input 'none' has 0 values, expected 1"));
  EXPECT_THAT(refused("Clip", {"x", to.constant<float>("zero", {}, std::vector<float>{0})}, {}),
              HasSubstr("from 0 to inf, expected 0 to 6"));
  EXPECT_THAT(refused("Clip", {"x", "", to.constant<float>("six", {}, std::vector<float>{6})}, {}),
              HasSubstr("from -inf to 6, expected 0 to 6"));
  EXPECT_THAT(refused("Conv", {"x", floats("twice", {6, 1, 3, 3})}, {{"group", int64_t{3}}}),
              HasSubstr("depthwise with 6 filters for 3 channels, expected one a channel"));
  EXPECT_THAT(refused("HardSigmoid", {"x"}, {}), HasSubstr("alpha 0.2 and beta 0.5"));
  EXPECT_THAT(refused("Add", {"x", small}, {}), HasSubstr("it adds a constant"));
  EXPECT_THAT(refused("Reshape", {"x", whole("s", {1, 3, 64})}, {}),
              HasSubstr("to [1,3,64]: expected [N,C]"));
  EXPECT_THAT(refused("ReduceMean", {"x"}, {{"axes", std::vector<int64_t>{1}}}),
              HasSubstr("over the axes [1]"));
  EXPECT_THAT(refused("BatchNormalization", {"x", floats("g", {3}), small, small, small}, {}),
              HasSubstr("has 1 values, expected 3"));
  EXPECT_THAT(refused("Relu", {"x"}, {}), HasSubstr("the last node is to be linear"));
}

TEST_F(OnnxImport, ASizeThatIsOpenIsTheOneWanted) {
  model.input.dims = {onnx::kAnyBatch, 3, onnx::kAnyBatch, onnx::kAnyBatch};
  const std::string map =  // of 1x1 if the images are of 8x8
      to.add("MaxPool", "max", {"x"}, {{"kernel_shape", std::vector<int64_t>(2, 8)}});
  model.output.name =
      to.add("Gemm", "fc", {map, floats("w", {2, 3}), floats("b", {2})}, {{"transB", int64_t{1}}});
  EXPECT_EQ(graph_of(onnx::to_archive(model, 8)).input_size(), 8);
  EXPECT_THAT(refusal([&] { onnx::to_archive(model); }), HasSubstr("[3,57,57]"));
}

TEST_F(OnnxImport, ShapesThatDoNotFitAreTheGraphsComplaint) {
  EXPECT_THAT(refusal([&] { finished(point("conv", "x", 5)); }),
              ::testing::Eq(testing::kNothingThrown));  // its weights tell, when they are loaded
  model.input.dims = {1, 3};
  EXPECT_EQ(refusal([&] { ended("x"); }), "[onnx] the input 'x' is not float32 [N,C,H,W]");
}

}  // namespace
}  // namespace edgeprune
