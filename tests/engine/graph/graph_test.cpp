#include "engine/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/message_of.h"
#include "tests/support/small_graphs.h"

namespace edgeprune {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::squeeze_and_excite_graph;

std::string refusal(const Graph& graph) {
  return testing::message_of<std::invalid_argument>([&] { infer_shapes(graph); });
}

/// A graph of images [3,8,8], then these nodes each behind the one before, then pool and logits.
Graph chain(const std::vector<Kind>& kinds) {
  Graph graph;
  size_t last = graph.append("images", kind::Input{3, 8, 8}, {});
  for (const Kind& kind : kinds) {
    last = graph.append(fmt::format("node{}", graph.nodes.size()), kind, {last});
  }
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  graph.append("head", kind::Linear{5}, {last});
  return graph;
}

std::string shape_behind(const Kind& kind) {
  return infer_shapes(chain({kind}))[1].to_string();
}

TEST(Graph, ShapesFollowFromTheKinds) {
  EXPECT_EQ(shape_behind(kind::Convolution{7, 3, 2, 1}), "[7,4,4]");
  EXPECT_EQ(shape_behind(kind::Convolution{7, 3, 1, 0}), "[7,6,6]");
  EXPECT_EQ(shape_behind(kind::Depthwise{5, 2, 2}), "[3,4,4]");
  EXPECT_EQ(shape_behind(kind::BatchNorm{}), "[3,8,8]");
  EXPECT_EQ(shape_behind(kind::Activate{}), "[3,8,8]");
  EXPECT_EQ(shape_behind(kind::MaxPool{3, 2, 1}), "[3,4,4]");
  EXPECT_EQ(shape_behind(kind::GlobalAveragePool{}), "[3,1,1]");
  EXPECT_EQ(shape_behind(kind::Dropout{}), "[3,8,8]");
  EXPECT_EQ(infer_shapes(chain({})).back(), (MapShape{5, 1, 1}));
}

TEST(Graph, KnowsItsReadersClassesAndSize) {
  Graph graph = squeeze_and_excite_graph();
  const auto expanded = graph.find("expand.act").value();
  EXPECT_THAT(readers_of(graph)[expanded],
              ElementsAre(graph.find("squeeze"), graph.find("excite")));
  EXPECT_FALSE(graph.find("nothing"));
  EXPECT_EQ(graph.head(), "head");
  graph.set_classes(7);
  graph.set_input_size(20);
  EXPECT_EQ(graph.classes(), 7);
  EXPECT_EQ(graph.input_size(), 20);
  EXPECT_EQ(infer_shapes(graph)[expanded], (MapShape{12, 20, 20}));
}

TEST(Graph, CountsWhatAFileOfItsWeightsHolds) {
  EXPECT_EQ(count_values(chain({})), 5 * 3 + 5);
  EXPECT_EQ(count_values(chain({kind::Convolution{4, 3, 1, 1, true}, kind::BatchNorm{},
                                kind::Depthwise{5, 1, 2}, kind::Activate{}})),
            (4 * 3 * 9 + 4) + 4 * 4 + 4 * 25 + (5 * 4 + 5));
}

TEST(Graph, ConvolutionsAndLinearLayersAreConvolutionsToTheKernels) {
  const auto depthwise = conv2d_shape(kind::Depthwise{3, 2, 1}, {8, 16, 12}).value();
  EXPECT_TRUE(depthwise.depthwise());
  EXPECT_EQ(depthwise.in_width, 12);
  EXPECT_EQ(depthwise.stride, 2);
  const auto linear = conv2d_shape(kind::Linear{10}, {8, 1, 1}).value();
  EXPECT_TRUE(linear.pointwise());
  EXPECT_EQ(linear.out_channels, 10);
  EXPECT_FALSE(conv2d_shape(kind::Add{}, {8, 16, 16}));
}

TEST(Graph, SurvivesJson) {
  Graph graph = squeeze_and_excite_graph();
  graph.network = "one";
  graph.width = 0.75;
  const auto back = json::parse(json(graph).dump()).get<Graph>();
  EXPECT_EQ(json(back), json(graph));
  EXPECT_EQ(back.network, "one");
  EXPECT_EQ(back.width, 0.75);
  EXPECT_EQ(infer_shapes(back), infer_shapes(graph));
  const auto& norm = std::get<kind::BatchNorm>(back.nodes[back.find("stem.norm").value()].kind);
  EXPECT_EQ(norm.eps, 1e-5f) << "to the bit";
}

TEST(GraphErrors, NameTheNodeAndTheShapes) {
  EXPECT_THAT(refusal(chain({kind::Convolution{4, 9, 1, 0}})),
              AllOf(HasSubstr("node 'node1' (convolution)"),
                    HasSubstr("9x9, padding 0, shrinks its input [3,8,8] to nothing")));
  Graph graph = squeeze_and_excite_graph();
  std::get<kind::Convolution>(graph.nodes[graph.find("excite.fc2").value()].kind).out_channels = 11;
  EXPECT_THAT(refusal(graph),
              HasSubstr("node 'excite' (multiply): its inputs are [12,8,8] and [11,1,1], expected "
                        "a map and one factor a channel"));
  graph = squeeze_and_excite_graph();
  std::get<kind::Convolution>(graph.nodes[graph.find("project").value()].kind).out_channels = 5;
  EXPECT_THAT(refusal(graph), HasSubstr("node 'sum' (add): its inputs are [6,8,8] and [5,8,8], "
                                        "expected equal shapes"));
  EXPECT_THAT(refusal(chain({kind::Linear{4}})),
              HasSubstr("(linear): its input is [3,8,8], expected a map of 1x1"));
}

TEST(GraphErrors, NodesReadWhatRunsBeforeThem) {
  Graph graph = chain({kind::Activate{}, kind::Activate{}});
  graph.nodes[1].inputs = {2};
  EXPECT_THAT(refusal(graph), HasSubstr("node 'node1' (activate): it reads 'node2', which runs "
                                        "after it: a cycle"));
  graph.nodes[1].inputs = {1};
  EXPECT_THAT(refusal(graph), HasSubstr("a cycle"));
  graph.nodes[1].inputs = {99};
  EXPECT_THAT(refusal(graph), HasSubstr("it reads node number 99, of 5"));
  graph.nodes[1].inputs = {};
  EXPECT_THAT(refusal(graph), HasSubstr("expected 1 input, got 0"));
  graph.nodes[1].inputs = {0, 0};
  EXPECT_THAT(refusal(graph), HasSubstr("expected 1 input, got 2"));
  graph.nodes[1].inputs = {0};
  graph.nodes[2].inputs = {0};
  EXPECT_THAT(refusal(graph), HasSubstr("node 'node1' (activate): nobody reads its [3,8,8]"));
}

TEST(GraphErrors, OneInputOneNameForEachLogitsAtTheEnd) {
  EXPECT_THAT(refusal({}), HasSubstr("there are no nodes"));
  Graph graph = chain({kind::Activate{}});
  graph.nodes.pop_back();
  EXPECT_THAT(refusal(graph), HasSubstr("'pool' (global_average_pool) is the last one"));
  graph = chain({kind::Activate{}, kind::Activate{}});
  graph.nodes[1].name = "node2";
  EXPECT_THAT(refusal(graph), HasSubstr("there are two of that name"));
  graph.nodes[1].name = "";
  EXPECT_THAT(refusal(graph), HasSubstr("expected a name"));
  EXPECT_THAT(refusal(chain({kind::Input{}})), HasSubstr("no other, is the input"));
  graph = chain({});
  graph.nodes[0].kind = kind::Activate{};
  EXPECT_THAT(refusal(graph), HasSubstr("no other, is the input"));
}

TEST(GraphErrors, SizesOutOfRangeAreRefused) {
  for (const Kind& kind : std::vector<Kind>{
           kind::Convolution{0, 1}, kind::Convolution{int64_t{1} << 40, 1}, kind::Convolution{1, 0},
           kind::Convolution{1, 17, 1, 8}, kind::Convolution{1, 3, 0, 1},
           kind::Convolution{1, 3, 1, 3}, kind::Convolution{1, 3, 1, -1}, kind::Depthwise{3, -1, 1},
           kind::MaxPool{3, 2, 2}, kind::BatchNorm{0.0f}, kind::BatchNorm{1e-5f, 2.0f},
           kind::Dropout{1.0f}, kind::Dropout{-0.1f}}) {
    EXPECT_THAT(refusal(chain({kind})), HasSubstr("node 'node1'")) << name_of(kind);
  }
  Graph graph = chain({});
  graph.set_input_size(5000);
  EXPECT_THAT(refusal(graph), HasSubstr("got 5000x5000"));
}

TEST(GraphErrors, MoreNodesThanAnyNetworkHasAreRefused) {
  std::vector<Kind> many(9997, kind::Activate{});
  EXPECT_EQ(infer_shapes(chain(many)).size(), 10000u);
  many.push_back(kind::Activate{});
  EXPECT_THAT(refusal(chain(many)), HasSubstr("10001 nodes, at most 10000 expected"));
}

TEST(GraphErrors, DamagedJsonIsRefused) {
  const json good = squeeze_and_excite_graph();
  const auto refused = [&](const std::string& pointer, const json& value) {
    json damaged = good;
    damaged[json::json_pointer(pointer)] = value;
    EXPECT_THROW(damaged.get<Graph>(), std::exception) << pointer << " = " << value;
    return testing::message_of<std::exception>([&] { damaged.get<Graph>(); });
  };
  EXPECT_THAT(refused("/nodes/1/kind", "recurrence"),
              HasSubstr("node 'stem': unknown kind 'recurrence'"));
  EXPECT_THAT(refused("/nodes/1/inputs", json{"nowhere"}),
              HasSubstr("node 'stem' reads 'nowhere', which is missing"));
  EXPECT_THAT(refused("/nodes/1/inputs", json{"head"}), HasSubstr("a cycle"));
  refused("/nodes", 3);
  refused("/nodes", json::array());
  refused("/nodes/1", 3);
  refused("/nodes/1/out_channels", "many");
  refused("/nodes/1/out_channels", int64_t{1} << 40);
  refused("/nodes/1/kernel", 1.5);
  refused("/nodes/3/activation", "swoosh");
  refused("/width", "wide");
  for (const char* key : {"name", "kind", "inputs", "out_channels", "stride", "bias"}) {
    json damaged = good;
    damaged["nodes"][1].erase(key);
    EXPECT_THROW(damaged.get<Graph>(), std::exception) << key;
  }
}

}  // namespace
}  // namespace edgeprune
