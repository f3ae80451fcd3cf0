#include "engine/nn/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/ops/batch_norm.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"
#include "tests/support/message_of.h"
#include "tests/support/small_graphs.h"
#include "tests/support/tensors.h"

namespace edgeprune::nn {
namespace {

using edgeprune::testing::append_unit;
using edgeprune::testing::identical;
using edgeprune::testing::random_tensor;
using ::testing::ElementsAre;

/// A convolution on the shortcut, a sum, and an activation behind the sum.
Graph residual_graph() {
  Graph graph;
  const size_t images = graph.append("images", kind::Input{3, 8, 8}, {});
  const size_t stem =
      append_unit(graph, "stem", kind::Convolution{8, 3, 1, 1}, images, Activation::relu6);
  const size_t side =
      append_unit(graph, "side", kind::Convolution{8, 1, 2, 0}, stem, Activation::none);
  const size_t wide = append_unit(graph, "wide", kind::Depthwise{3, 2, 1}, stem, Activation::relu6);
  const size_t main = append_unit(graph, "main", kind::Convolution{8}, wide, Activation::none);
  const size_t sum = graph.append("sum", kind::Add{}, {main, side});
  const size_t act = graph.append("act", kind::Activate{Activation::relu6}, {sum});
  const size_t pool = graph.append("pool", kind::GlobalAveragePool{}, {act});
  const size_t dropout = graph.append("dropout", kind::Dropout{0.5f}, {pool});
  graph.append("head", kind::Linear{4}, {dropout});
  return graph;
}

std::vector<std::string> names(const Network& network) {
  std::vector<std::string> names;
  for (const auto& [name, variable] : network.parameters()) names.push_back(name);
  return names;
}

TEST(Network, ParametersAreCalledAfterTheNodesInTheirOrder) {
  const Network network(residual_graph(), 1);
  EXPECT_THAT(names(network),
              ElementsAre("stem.weight", "stem.norm.weight", "stem.norm.bias", "side.weight",
                          "side.norm.weight", "side.norm.bias", "wide.weight", "wide.norm.weight",
                          "wide.norm.bias", "main.weight", "main.norm.weight", "main.norm.bias",
                          "head.weight", "head.bias"));
  EXPECT_EQ(network.convolutions()[2]->name, "wide");
  EXPECT_EQ(network.convolutions()[2]->weight.shape(), (Shape{8, 1, 3, 3}));
  EXPECT_TRUE(network.convolutions()[2]->shape.depthwise());
  EXPECT_EQ(network.norms()[1]->shape.out_height(), 4);
  EXPECT_EQ(&network.head(), network.linears().back().get());
  EXPECT_EQ(network.head().weight.shape(), (Shape{4, 8}));
}

TEST(Network, NormsHaveTheirNodesNumbersAndTheActivationThatAloneReadsThem) {
  Graph graph = residual_graph();
  graph.nodes[graph.find("side.norm").value()].kind = kind::BatchNorm{1e-3f, 0.01f};
  const Network network(graph);
  EXPECT_EQ(network.norms()[0]->activation, Activation::relu6);
  EXPECT_EQ(network.norms()[1]->activation, Activation::none);
  EXPECT_EQ(network.norms()[1]->state.eps, 1e-3f);
  EXPECT_EQ(network.norms()[1]->state.momentum, 0.01f);
  EXPECT_EQ(network.norms()[0]->state.momentum, 0.1f);
}

/// Each op by hand, in evaluation and in training.
TEST(Network, ForwardWalksTheGraph) {
  for (const bool training : {false, true}) {
    Network network(residual_graph(), 3), twin(residual_graph(), 3);
    network.set_dropout_rate(0);
    network.train(training);
    twin.train(training);
    const Variable images(random_tensor({2, 8, 8, 3}, 1));
    Rng rng(0);
    const auto unit = [&](size_t i, const Variable& x) {
      return twin.norms()[i]->forward(twin.convolutions()[i]->forward(x));
    };
    const Variable stem = unit(0, images);
    const Variable sum = ops::add(unit(3, unit(2, stem)), unit(1, stem));
    const Variable expected =
        twin.head().forward(ops::global_average_pool(ops::activate(sum, Activation::relu6)));
    const Variable logits = network.forward(images, rng);
    EXPECT_LE(edgeprune::testing::max_abs_error(logits.value(), expected.value()), 1e-5);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_LE(edgeprune::testing::max_abs_error(network.norms()[i]->state.running_var,
                                                  twin.norms()[i]->state.running_var),
                1e-5);
    }
  }
}

TEST(Network, EveryParameterGetsAGradient) {
  Network network(residual_graph(), 3);
  Rng rng(0);
  network.forward(Variable(random_tensor({4, 8, 8, 3}, 1)), rng).backward(random_tensor({4, 4}, 2));
  for (const auto& [name, parameter] : network.parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_EQ(parameter.grad().shape(), parameter.shape()) << name;
  }
}

TEST(Network, AnActivationThatOthersReadBesideIsNotFused) {
  Graph graph;
  size_t last = graph.append("images", kind::Input{3, 8, 8}, {});
  const size_t norm = append_unit(graph, "a", kind::Convolution{4}, last, Activation::none);
  const size_t act = graph.append("act", kind::Activate{Activation::relu6}, {norm});
  last = graph.append("sum", kind::Add{}, {norm, act});
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  graph.append("head", kind::Linear{4}, {last});
  Network network(graph, 1);
  EXPECT_EQ(network.norms()[0]->activation, Activation::none);
  network.train(false);
  const Variable images(random_tensor({1, 8, 8, 3}, 1));
  Rng rng(0);
  const Variable a = network.norms()[0]->forward(network.convolutions()[0]->forward(images));
  const Variable expected = network.head().forward(
      ops::global_average_pool(ops::add(a, ops::activate(a, Activation::relu6))));
  EXPECT_TRUE(identical(network.forward(images, rng).value(), expected.value()));
}

/// Doubles every convolution's weight, and counts what nodes put out.
struct Doubling : ForwardHooks {
  explicit Doubling(const Network& of) : network(of) {}
  Variable weight(size_t node, const Variable& weight) override {
    if (node == network.head().node) return weight;
    Tensor doubled = weight.value().clone();
    for (float& w : doubled.values()) w *= 2;
    return Variable(doubled);
  }
  Variable output(size_t node, const Variable& output) override {
    EXPECT_EQ(node, seen++);
    return node == network.head().node ? Variable(Tensor(output.shape(), 7.0f)) : output;
  }
  const Network& network;
  size_t seen = 0;
};

TEST(Network, HooksReplaceWeightsAndOutputs) {
  Network network(residual_graph(), 3);
  Doubling hooks(network);
  network.train();  // batch norm takes the factor out again, and sees that it was there
  Rng rng(0);
  const Variable logits = network.forward(Variable(random_tensor({2, 8, 8, 3}, 1)), rng, &hooks);
  EXPECT_EQ(hooks.seen, network.graph().nodes.size());
  for (const float logit : logits.value().values()) EXPECT_EQ(logit, 7.0f);
  Network plain(residual_graph(), 3);
  plain.forward(Variable(random_tensor({2, 8, 8, 3}, 1)), rng);
  EXPECT_NEAR(network.norms()[0]->state.running_mean.data()[0],
              2 * plain.norms()[0]->state.running_mean.data()[0], 1e-6);
}

TEST(Network, ImagesOfAnotherShapeAreRefused) {
  Network network(residual_graph(), 1);
  Rng rng(0);
  EXPECT_THAT(edgeprune::testing::message_of<std::invalid_argument>([&] {
                network.forward(Variable(Tensor({1, 8, 9, 3}, 0.0f)), rng);
              }),
              ::testing::HasSubstr("expected images [N,8,8,3], got [1,8,9,3]"));
}

}  // namespace
}  // namespace edgeprune::nn
