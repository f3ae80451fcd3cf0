#include "models/fold.h"

#include <gtest/gtest.h>

#include "engine/inference/plan.h"
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
      if (batch == 3) {  // a network that ignores the image would hide every mistake
        double spread = 0;
        for (int k = 0; k < 10; ++k) {
          spread = std::max(spread, std::abs(double(expected.data()[k]) - expected.data()[10 + k]));
        }
        ASSERT_GT(spread, 0.05);
      }
      for (const auto engine : values_in(inference::kEngines)) {
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

}  // namespace
}  // namespace edgeprune
