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

TEST_F(OnnxImport, ASigmoidIsAGateOfItsOwnOrOfAnotherMap) {
  const std::string swish = to.activate(Activation::silu, "swish", point("conv", "x"));
  std::string factors = to.add("GlobalAveragePool", "pooled", {swish});
  factors = to.activate(Activation::sigmoid, "gate", point("fc", factors));
  const Archive archive = finished(to.add("Mul", "excite", {factors, swish}));
  const Graph graph = graph_of(archive);
  EXPECT_THAT(kinds_of(archive),
              ElementsAre("input", "convolution", "activate", "global_average_pool", "convolution",
                          "activate", "multiply", "global_average_pool", "linear"));
  EXPECT_EQ(std::get<kind::Activate>(graph.nodes[2].kind).activation, Activation::silu);
  EXPECT_EQ(std::get<kind::Activate>(graph.nodes[5].kind).activation, Activation::sigmoid);
  EXPECT_THAT(graph.nodes[6].inputs, ElementsAre(2u, 5u));
}

// As tf2onnx writes them: images channels-last, padding apart, activations by their formulas.
TEST_F(OnnxImport, AMapMayBeTurnedPaddedAndReducedAsKerasHasIt) {
  model.input.dims = {onnx::kAnyBatch, 8, 8, 3};
  const std::vector<int64_t> to_first{0, 3, 1, 2}, to_last{0, 2, 3, 1}, two(2, 2);
  std::string value = to.add("Pad", "pad", {"x", whole("pads", {0, 0, 0, 0, 0, 1, 1, 0})});
  value = to.add("Transpose", "in", {value}, {{"perm", to_first}});
  model.nodes.insert(model.nodes.begin(), model.nodes.back());  // the one that turns the images
  model.nodes[0].inputs = {"x"};
  model.nodes[0].outputs = {"unread"};
  value = to.add("Conv", "conv", {value, floats("conv.weight", {2, 3, 3, 3})}, {{"strides", two}});
  value = to.add("Add", "biased", {value, floats("bias", {1, 2, 1, 1})});
  value = to.add("Transpose", "out", {value}, {{"perm", to_last}});
  const std::vector<float> three{3.0f}, zero{0.0f}, six{6.0f}, sixth{0.16662598f};  // of 16 bits
  const std::string added = to.add("Add", "plus", {value, to.constant<float>("three", {}, three)});
  const std::string clipped =
      to.add("Clip", "clip",
             {added, to.constant<float>("low", {}, zero), to.constant<float>("high", {}, six)});
  value = to.add("Mul", "times", {value, clipped});
  value = to.add("Mul", "sixth", {value, to.constant<float>("sixth", {}, sixth)});
  value = to.add("ReduceMean", "mean", {value}, {{"axes", std::vector<int64_t>{1, 2}}});
  value = to.add("Squeeze", "flat", {value, whole("axes", {1, 2})});
  value = to.add("MatMul", "fc", {value, floats("fc", {2, 2})});
  const Archive archive = ended(to.add("Softmax", "softmax", {value}));
  const Graph graph = graph_of(archive);
  EXPECT_THAT(kinds_of(archive),
              ElementsAre("input", "convolution", "activate", "global_average_pool", "linear"));
  const auto& conv = std::get<kind::Convolution>(graph.nodes[1].kind);
  EXPECT_EQ(std::tie(conv.kernel, conv.stride, conv.padding, conv.bias), std::tuple(4, 2, 1, true));
  EXPECT_EQ(std::get<kind::Activate>(graph.nodes[2].kind).activation, Activation::hard_swish);
  EXPECT_THAT(archive.at("conv.bias").to_tensor("b").values(), ElementsAre(1, 2));
  const edgeprune::Tensor weight = archive.at("conv.weight").to_tensor("w");
  EXPECT_THAT(weight.values().first(16),
              ElementsAre(0, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9));
  EXPECT_THAT(archive.notes, ElementsAre(HasSubstr("Softmax is left out"), HasSubstr("ImageNet")));
  EXPECT_EQ(archive.metadata.at("history"),
            fmt::format(R"([{{"padding_zeros":{},"step":"import"}}])", 2 * 3 * 7));
}

TEST_F(OnnxImport, PaddingSameIsThatOfTheImagesSize) {
  const std::vector<int64_t> two(2, 2);
  const auto conv_of = [&](const std::string& rule, int64_t size) {
    model.nodes.clear();
    model.input.dims = {1, 3, size, size};
    const Archive archive =
        finished(to.add("Conv", "conv", {"x", floats("conv.weight", {3, 3, 3, 3})},
                        {{"strides", two}, {"auto_pad", rule}}));
    EXPECT_EQ(archive.metadata.at("padding"), R"("same")");
    const auto conv = std::get<kind::Convolution>(graph_of(archive).nodes[1].kind);
    const auto weight = archive.arrays.begin();
    EXPECT_EQ(weight->second.shape[3], conv.kernel);
    return std::tuple(conv.kernel, conv.padding, weight->second.to_tensor("w").values()[0]);
  };
  EXPECT_EQ(conv_of("SAME_UPPER", 8), std::tuple(4, 1, 0.0f));
  EXPECT_EQ(conv_of("SAME_LOWER", 8), std::tuple(4, 1, 1.0f));
  EXPECT_EQ(conv_of("SAME_UPPER", 9), std::tuple(3, 1, 1.0f));
}

TEST_F(OnnxImport, WhatHoldsOneNumberAChannelMayBeSpeltInManyWays) {
  std::string value = to.add("AveragePool", "pool", {point("conv", "x")},
                             {{"kernel_shape", std::vector<int64_t>(2, 8)}});
  const std::string size = to.add("Shape", "shape", {value});
  const std::string batch = to.add("Gather", "batch", {size, whole("first", {0})});
  value =
      to.add("Reshape", "flat",
             {value, to.add("Concat", "to", {batch, whole("rest", {-1})}, {{"axis", int64_t{0}}})});
  value = to.add("Reshape", "map", {value, whole("four", {-1, 3, 1, 1})});
  value = to.add("Cast", "half", {point("fc", value)}, {{"to", int64_t{10}}});
  value = to.add("Unsqueeze", "again", {to.add("Flatten", "rows", {value}), whole("axes", {2, 3})});
  EXPECT_THAT(kinds_of(finished(value)),
              ElementsAre("input", "convolution", "global_average_pool", "convolution",
                          "global_average_pool", "linear"));
}

// As PyTorch 1.13 writes F.pad(x, (1, 2, 1, 2)).
TEST_F(OnnxImport, PaddingMayBeComputedInTheGraph) {
  const std::vector<int64_t> zero{0};
  const std::string zeros = to.add("ConstantOfShape", "zeros", {whole("four", {4})},
                                   {{"value", onnx::make_tensor<int64_t>("", {1}, zero)}});
  std::string pads = to.add("Concat", "both", {whole("own", {1, 2, 1, 2}), zeros});
  pads = to.add("Reshape", "table", {pads, whole("table", {-1, 2})});
  pads = to.add(
      "Slice", "last",
      {pads, whole("a", {-1}), whole("b", {INT64_MIN + 1}), whole("c", {0}), whole("d", {-1})});
  pads = to.add("Transpose", "turned", {pads}, {{"perm", std::vector<int64_t>{1, 0}}});
  pads = to.add("Reshape", "list", {pads, whole("list", {-1})});
  pads = to.add("Cast", "cast", {pads}, {{"to", int64_t{7}}});
  const std::string padded = to.add("Pad", "pad", {"x", pads});
  const Archive archive =
      finished(to.add("Conv", "conv", {padded, floats("conv.weight", {3, 3, 5, 5})}));
  const Graph graph = graph_of(archive);
  const auto& conv = std::get<kind::Convolution>(graph.nodes[1].kind);
  EXPECT_EQ(std::tie(conv.kernel, conv.padding), std::tuple(6, 2));
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

TEST_F(OnnxImport, MetadataOfOursStay) {
  model.metadata = {
      {"classes", R"(["a","b"])"}, {"history", R"([{"step":"train"}])"}, {"other", "x"}};
  const Archive archive = finished(point("conv", "x"));
  EXPECT_EQ(archive.metadata.at("classes"), R"(["a","b"])");
  EXPECT_EQ(archive.metadata.at("history"), R"([{"step":"train"},{"step":"import"}])");
  EXPECT_FALSE(archive.metadata.contains("other"));
}

TEST_F(OnnxImport, WhatAGraphCannotSayIsNamed) {
  const std::vector<int64_t> two(2, 2), uneven{0, 1, 1, 0}, wide{1, 3};
  const auto refused = [&](const std::string& op, std::vector<std::string> inputs,
                           std::vector<Attribute> attributes) {
    const auto nodes = model.nodes;
    const std::string name = to.add(op, "n", std::move(inputs), std::move(attributes));
    const std::string message = refusal([&] { ended(name); });
    model.nodes = nodes;
    return message;
  };
  const std::string weight = floats("w", {3, 3, 3, 3}), small = floats("low", {1});
  EXPECT_EQ(refused("Softplus", {"x"}, {}),
            "[onnx] Softplus 'n/Softplus': an operator that edgeprune's graphs do not have");
  EXPECT_THAT(
      refused("QuantizeLinear", {"x"}, {}),
      HasSubstr(
          "QuantizeLinear 'n/QuantizeLinear': a network in integers; expected the one in floats"));
  EXPECT_THAT(
      refused("Conv", {"x", weight}, {{"pads", uneven}}),
      HasSubstr("its pads are [0,1,1,0], expected above as on the left, below as on the right"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"strides", wide}}),
              HasSubstr("its strides are [1,3]"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"dilations", two}}), HasSubstr("it is dilated"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"auto_pad", std::string("SAME")}}),
              HasSubstr("auto_pad SAME is not known"));
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
  for (const char* op :
       {"QLinearConv", "DequantizeLinear", "ConvInteger", "DynamicQuantizeLinear"}) {
    EXPECT_THAT(refused(op, {"x"}, {}),
                HasSubstr("a network in integers; expected the one in floats"));
  }
  EXPECT_THAT(refused("AveragePool", {"x"}, {{"kernel_shape", two}}),
              HasSubstr("over 2x2 of a map of 8x8, expected the whole map"));
  EXPECT_THAT(refused("MaxPool", {"x"},
                      {{"kernel_shape", two}, {"pads", std::vector<int64_t>{0, 0, 1, 1}}}),
              HasSubstr("its pads are [0,0,1,1], expected them to be the same"));
  EXPECT_THAT(refused("Conv", {"x", weight}, {{"pads", std::vector<int64_t>{0, 0, 9, 9}}}),
              HasSubstr("which a kernel of 3 does not reach"));
  EXPECT_THAT(refused("Conv", {"x", floats("even", {3, 3, 2, 2})},
                      {{"strides", two}, {"auto_pad", std::string("SAME_UPPER")}}),
              HasSubstr("auto_pad SAME_UPPER of a kernel of 2 with a stride of 2"));
  EXPECT_THAT(refused("Transpose", {"x"}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}),
              HasSubstr("by [0,1,3,2], expected a map's channels put last, or first again"));
  const std::string last =
      to.add("Transpose", "last", {"x"}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  EXPECT_THAT(refused("Conv", {last, weight}, {}), HasSubstr("expected [N,C,H,W]"));
  EXPECT_THAT(refused("Add", {last, "x"}, {}), HasSubstr("its inputs are not of one layout"));
  const std::string padded = to.add("Pad", "pad", {"x", whole("pads", {0, 0, 1, 1, 0, 0, 1, 1})});
  EXPECT_THAT(refused("Relu", {padded}, {}),
              HasSubstr("which is padded: only Conv and MaxPool may"));
  EXPECT_THAT(refused("MaxPool", {padded}, {{"kernel_shape", two}}), HasSubstr("may be negative"));
  EXPECT_THAT(refused("Pad", {"x", whole("channels", {0, 1, 0, 0, 0, 0, 0, 0})}, {}),
              HasSubstr("expected rows and columns around a map"));
  const std::string three = to.constant<float>("3", {}, std::vector<float>{3});
  const std::string plus = to.add("Add", "plus", {"x", three});
  EXPECT_THAT(refused("Sigmoid", {plus}, {}), HasSubstr("to which a constant is added"));
  EXPECT_THAT(refused("Relu", {plus}, {}), HasSubstr("expected a linear layer's output"));
  EXPECT_THAT(refused("Pad", {"x", whole("p", {0, 0, 1, 1, 0, 0, 1, 1})}, {}),
              HasSubstr("expected a linear layer's output"));
  EXPECT_THAT(refused("Mul", {"x", three}, {}), HasSubstr("it multiplies by a constant"));
  EXPECT_THAT(refused("Div", {"x", three}, {}), HasSubstr("it divides by 3"));
  EXPECT_THAT(refused("Cast", {"x"}, {{"to", int64_t{7}}}), HasSubstr("to type 7"));
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
