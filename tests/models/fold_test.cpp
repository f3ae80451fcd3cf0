#include "models/fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/inference/plan.h"
#include "tests/support/message_of.h"
#include "tests/support/small_graphs.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::random_tensor;
using testing::trained_model;

TEST(FoldBatchNorm, LeavesTheLogitsTheSame) {
  // At width 0.25 the first block adds the stem's output, at width 1 it does not.
  for (const double width : {0.25, 1.0}) {
    const auto model = trained_model(width);
    const inference::Graph graph = fold_batch_norm(*model);
    for (const int64_t batch : {1, 3}) {
      const Tensor images = random_tensor({batch, 32, 32, 3}, 2);
      const Tensor expected = testing::logits_of(*model, images);
      if (batch > 1) {
        ASSERT_GT(testing::spread(expected), 0.1);
      }
      for (const auto engine : inference::float_engines()) {
        inference::Plan plan(graph, engine, batch);
        Tensor logits({batch, 10});
        plan.run(images.data(), logits.data());
        EXPECT_LE(testing::max_abs_error(logits, expected), 1e-4)
            << to_string(engine) << " " << width;
      }
    }
  }
}

TEST(FoldBatchNorm, ScalesEachChannelByHand) {
  const auto model = trained_model(0.25);
  const inference::Layer layer = fold_batch_norm(*model).layers[4];
  const auto& conv = *model->convolutions()[4];
  const auto& norm = *model->norms()[4];
  EXPECT_EQ(layer.name, conv.name);
  const int64_t per_channel = layer.weight.count() / layer.shape.out_channels;
  for (int64_t o = 0; o < layer.shape.out_channels; ++o) {
    const double scale =
        norm.weight.value().data()[o] / std::sqrt(double(norm.state.running_var.data()[o]) + 1e-5);
    EXPECT_NEAR(layer.bias.data()[o],
                norm.bias.value().data()[o] - norm.state.running_mean.data()[o] * scale, 1e-5);
    for (int64_t i = 0; i < per_channel; ++i) {
      EXPECT_NEAR(layer.weight.data()[o * per_channel + i],
                  conv.weight.value().data()[o * per_channel + i] * scale, 1e-5);
    }
  }
}

TEST(FoldBatchNorm, KeepsZerosAndTheModel) {
  const auto model = trained_model(0.25);
  for (const auto& conv : model->convolutions()) {
    Tensor& weight = conv->weight.value();
    for (int64_t i = 0; i < weight.count(); i += 2) weight.data()[i] = 0.0f;
  }
  const auto before = model->state_dict();
  const inference::Graph graph = fold_batch_norm(*model);
  for (size_t i = 0; i < model->convolutions().size(); ++i) {
    const Tensor &folded = graph.layers[i].weight, &own = model->convolutions()[i]->weight.value();
    for (int64_t k = 0; k < own.count(); ++k) {
      ASSERT_EQ(folded.data()[k] == 0.0f, own.data()[k] == 0.0f) << graph.layers[i].name;
    }
  }
  for (const auto& [name, array] : model->state_dict())
    EXPECT_EQ(array.bytes, before.at(name).bytes) << name;
}

TEST(WithoutBatchNorm, IsTheSameFunctionInFewerNodes) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto model = trained_model(testing::RandomGraph(seed).make());
    const auto folded = without_batch_norm(*model);
    const Tensor images = random_tensor({2, 16, 16, 3}, seed);
    const Tensor expected = testing::logits_of(*model, images);
    EXPECT_LE(testing::relative_error(testing::logits_of(*folded, images), expected), 1e-5) << seed;
    EXPECT_TRUE(folded->norms().empty());
    EXPECT_LT(folded->graph().nodes.size(), model->graph().nodes.size());
    EXPECT_EQ(folded->graph().network, model->graph().network);
  }
}

TEST(WithoutBatchNorm, OneThatIsBehindNoConvolutionStays) {
  Graph graph;
  size_t last = graph.append("images", kind::Input{3, 8, 8}, {});
  last = graph.append("conv", kind::Convolution{4}, {last});
  last = graph.append("act", kind::Activate{Activation::relu}, {last});
  last = graph.append("norm", kind::BatchNorm{}, {last});
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  graph.append("head", kind::Linear{4}, {last});
  const auto model = trained_model(graph);
  const auto folded = without_batch_norm(*model);
  ASSERT_EQ(folded->norms().size(), 1u);
  const Tensor images = random_tensor({2, 8, 8, 3}, 1);
  EXPECT_TRUE(
      testing::identical(testing::logits_of(*folded, images), testing::logits_of(*model, images)));
}

TEST(WithoutBatchNorm, NodesAreTracedToLayers) {
  const auto plain = without_batch_norm(*trained_model(testing::squeeze_and_excite_graph()));
  const auto [graph, layers] = folded(*plain);
  const auto layer_of = [&, &graph = graph, &layers = layers](const std::string& node) {
    const int layer = layers[plain->graph().find(node).value()];
    return layer < 0 ? "" : graph.layers[static_cast<size_t>(layer)].name;
  };
  EXPECT_EQ(layer_of("images"), "");
  EXPECT_EQ(layer_of("stem"), "stem");
  EXPECT_EQ(layer_of("stem.act"), "stem");
  EXPECT_EQ(layer_of("excite.gate"), "excite.fc2");
  EXPECT_EQ(layer_of("sum"), "project");  // the convolution that adds
  EXPECT_EQ(layer_of("head"), "head");
}

TEST(FoldBatchNorm, EndsWithPoolAndHead) {
  const auto model = trained_model(0.25);
  const inference::Graph graph = fold_batch_norm(*model);
  ASSERT_EQ(graph.layers.size(), 54u);
  EXPECT_EQ(graph.layers[52].kind, inference::Layer::Kind::global_average_pool);
  const inference::Layer& head = graph.layers[53];
  EXPECT_EQ(head.name, "classifier.1");
  EXPECT_EQ(head.weight.shape(), (Shape{10, 1280, 1, 1}));
  EXPECT_EQ(testing::values_of(head.weight), testing::values_of(model->head().weight.value()));
  EXPECT_NE(head.weight.data(), model->head().weight.value().data()) << "a copy";
}

/// Batch norms of the images and of a sum; two layers that read the images; a convolution that dropout
/// has two readers of.
Graph graph_with_norms_anywhere() {
  using testing::append_unit;
  Graph graph;
  const size_t images = graph.append("images", kind::Input{3, 8, 8}, {});
  const size_t colours = graph.append("colours", kind::BatchNorm{}, {images});
  const size_t stem =
      append_unit(graph, "stem", kind::Convolution{6, 3, 1, 1}, colours, Activation::relu6);
  const size_t beside = graph.append("beside", kind::Convolution{6, 1, 1, 0, true}, {images});
  const size_t sum = graph.append("sum", kind::Add{}, {stem, beside});
  const size_t act =
      append_unit(graph, "depthwise", kind::Depthwise{3, 1, 1},
                  graph.append("sum.norm", kind::BatchNorm{}, {sum}), Activation::hard_swish);
  const size_t wide = graph.append("wide", kind::Convolution{5}, {act});
  const size_t dropped = graph.append("dropout", kind::Dropout{}, {wide});
  const size_t positive = graph.append("act", kind::Activate{Activation::relu}, {dropped});
  const size_t pool = graph.append("pool", kind::GlobalAveragePool{},
                                   {graph.append("both", kind::Add{}, {positive, wide})});
  graph.append("head", kind::Linear{10}, {pool});
  return graph;
}

TEST(FoldBatchNorm, NormsThatAreBehindNoConvolutionStayLayers) {
  const auto model = trained_model(graph_with_norms_anywhere());
  const Tensor images = random_tensor({3, 8, 8, 3}, 2),
               expected = testing::logits_of(*model, images);
  ASSERT_GT(testing::spread(expected), 0.1);
  const inference::Graph graph = fold_batch_norm(*model);
  std::vector<std::string> names;
  for (const auto& layer : graph.layers) names.push_back(layer.name);
  EXPECT_THAT(names, ::testing::ElementsAre("colours", "stem", "beside", "sum.norm", "depthwise",
                                            "wide", "act", "both", "pool", "head"));
  for (const auto engine : inference::float_engines()) {
    inference::Plan plan(graph, engine, 3);
    Tensor logits({3, 10});
    plan.run(images.data(), logits.data());
    EXPECT_LE(testing::max_abs_error(logits, expected), 1e-5) << to_string(engine);
  }
}

TEST(FoldBatchNorm, SumsAndProductsOfTheImagesAreRefusedByName) {
  const auto refused_with = [](const Kind& kind, const kind::Convolution& convolution) {
    Graph graph;
    graph.append("images", kind::Input{3, 1, 1}, {});
    graph.append("conv", convolution, {0});
    graph.append("both", kind, {1, 0});
    graph.append("pool", kind::GlobalAveragePool{}, {2});
    graph.append("head", kind::Linear{10}, {3});
    return testing::message_of<std::invalid_argument>([&] { fold_batch_norm(nn::Network(graph)); });
  };
  EXPECT_EQ(refused_with(kind::Add{}, {3}),
            "[fold] node 'both' (add) reads the images [3,1,1]: expected outputs of layers");
  EXPECT_EQ(refused_with(kind::Multiply{}, {3, 3, 1, 2}),
            "[fold] node 'both' (multiply) reads the images [3,1,1]: expected outputs of layers");
}

}  // namespace
}  // namespace edgeprune
