#include "models/quantization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "models/copy_model.h"
#include "models/fold.h"
#include "tests/models/checkpoint_file.h"
#include "tests/support/message_of.h"
#include "tests/support/small_graphs.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::CheckpointFile;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::expect_parts;
using ::testing::HasSubstr;
using testing::message_of;
using testing::refusal;

TEST(Grids, BehindReluTheyBeginAtZeroElsewhereTheyHoldAllAndZero) {
  EXPECT_EQ(grid_for({1, true}, 0.0f, 6.0f), (Grid{6.0f / 127, 0, 0, 127}));
  EXPECT_EQ(grid_for({1, false}, -1.0f, 4.1f), (Grid{5.1f / 255, 50, 0, 255}));
  EXPECT_EQ(grid_for({1, false}, 1.0f, 2.0f), (Grid{2.0f / 255, 0, 0, 255}));
  EXPECT_EQ(grid_for({1, false}, -2.0f, -1.0f), (Grid{2.0f / 255, 255, 0, 255}));
  EXPECT_EQ(grid_for({1, true}, 0.0f, 0.0f), (Grid{1.0f, 0, 0, 127}));
}

TEST(Grids, StandWhereLayersHandOnBytes) {
  const auto network = without_batch_norm(*testing::trained_model(0.25));
  std::vector<std::string> narrow, names;
  for (const auto& [node, rectified] : quantized_outputs(*network)) {
    names.push_back(network->graph().nodes[node].name);
    if (rectified) narrow.push_back(names.back());
  }
  // The images, 52 layers and the pool; at width 0.25 the stem's sum is in the first block's projection.
  EXPECT_EQ(names.size(), 54u);
  EXPECT_EQ(narrow.size(), 1u + 1u + 2 * 16u);  // the stem, 17 depthwise layers, 16 expansions
  EXPECT_THAT(narrow, Each(::testing::Not(HasSubstr("features.18"))));  // the pool alone reads it
}

TEST(Grids, ABatchNormBehindNoConvolutionIsRefused) {
  const auto model = testing::trained_model(0.25);
  EXPECT_EQ(
      message_of<std::invalid_argument>([&] { quantized_outputs(*model); }),
      "[quantize] node 'features.0.1' is a batch norm behind no convolution: expected a network "
      "without");
}

TEST(Weights, LieOnTheirRowsGrids) {
  Tensor weight({2, 3}, std::vector<float>{0.5f, -1.0f, 0.0f, 0.0f, 0.0f, 0.0f});
  const Tensor bias({2}, 0.0f);
  const auto scales = weight_scales(weight, bias, 0.1f);
  EXPECT_THAT(scales, ElementsAre(1.0f / 127, 1.0f));
  round_weights(weight, scales);
  EXPECT_THAT(weight.values(), ElementsAre(scales[0] * 64, -1.0f, 0, 0, 0, 0));  // 63.5, to even
}

/// A network whose weights lie on their grids, with arbitrary grids for its outputs.
struct Quantized {
  Quantized() : network(without_batch_norm(*testing::trained_model(testing::small()))) {
    for (const QuantizedOutput& output : quantized_outputs(*network)) {
      const std::string& name = network->graph().nodes[output.node].name;
      grids.outputs[name] = grid_for(output, -1.0f, float(output.node));
    }
    const auto round = [&](const auto& layers) {
      for (const auto& layer : layers) {
        Tensor& weight = layer->weight.value();
        grids.weight_scales[layer->name] = weight_scales(weight, layer->bias.value(), 1.0f);
        round_weights(weight, grids.weight_scales[layer->name]);
      }
    };
    round(network->convolutions());
    round(network->linears());
  }
  std::unique_ptr<nn::Network> network;
  Quantization grids;
};

/// The logits, and by parameter whether a gradient came.
std::pair<Tensor, std::map<std::string, bool>> run(nn::Network& network, nn::ForwardHooks& hooks) {
  Rng unused(0);
  const auto& [channels, height, width] = network.shapes().front();
  const Tensor images = testing::random_tensor({4, height, width, channels}, 1);
  const Variable logits = network.forward(Variable(images), unused, &hooks);
  Variable(logits).backward(Tensor(logits.shape(), 1.0f));
  std::map<std::string, bool> came;
  for (const auto& [name, parameter] : network.parameters()) {
    const Tensor& grad = parameter.grad();
    came[name] = grad.defined() && std::ranges::count(grad.values(), 0.0f) < grad.count();
  }
  return {logits.value(), came};
}

void expect_fakes_compute_what_rounded_ones_do(const nn::Network& model, size_t layers) {
  const auto network = without_batch_norm(model);
  Quantization grids;
  for (const QuantizedOutput& output : quantized_outputs(*network)) {
    grids.outputs[network->graph().nodes[output.node].name] = grid_for(output, -6.0f, 6.0f);
  }
  const auto rounded = copy_of(*network);
  round_weights(*rounded, grids, {});
  EXPECT_EQ(grids.weight_scales.size(), layers);
  FakeQuantization faking(*network, grids);
  RoundedOutputs rounding(*rounded, grids);
  const auto [logits, came] = run(*network, faking);
  EXPECT_TRUE(testing::identical(logits, run(*rounded, rounding).first));
  EXPECT_GT(testing::spread(logits), 0.01);
  for (const auto& [name, gradient] : came) EXPECT_TRUE(gradient) << name;
  // Layers that stay in floats have no scales.
  grids.weight_scales.clear();
  FakeQuantization floats(*network, grids);
  const Variable weight = network->head().weight;
  EXPECT_TRUE(
      testing::identical(floats.weight(network->head().node, weight).value(), weight.value()));
}

TEST(FakeQuantization, ComputesWhatTheRoundedNetworkDoesAndGradientsPass) {
  expect_fakes_compute_what_rounded_ones_do(*testing::trained_model(0.25), 53);
}

TEST(FakeQuantization, KnowsGatesAndExcitations) {
  expect_fakes_compute_what_rounded_ones_do(
      *testing::trained_model(testing::squeeze_and_excite_graph(Activation::hard_sigmoid)), 6);
}

TEST(Quantization, WhatEndsInASigmoidStaysInFloats) {
  const FloatLayers floats =
      unknown_to_integers(nn::Network(testing::squeeze_and_excite_graph(Activation::sigmoid), 1));
  EXPECT_EQ(floats, (FloatLayers{{"excite.fc2", "ends in sigmoid"}}));
}

TEST_F(CheckpointFile, QuantizedItIsSmallerAndComesBackBitForBit) {
  const Quantized model;
  ModelInfo info = testing::sample_info();
  save_checkpoint(path_, *model.network, info);
  const auto floats = std::filesystem::file_size(path_);
  info.quantization = model.grids;
  for (const Storage storage : {Storage::dense, Storage::sparse}) {
    save_checkpoint(path_, *model.network, info, storage);
    EXPECT_LT(std::filesystem::file_size(path_), 0.4 * double(floats));
    const Checkpoint loaded = load_checkpoint(path_, {.quantized = true});
    ASSERT_TRUE(loaded.info.quantization);
    EXPECT_EQ(loaded.info.quantization->outputs, model.grids.outputs);
    EXPECT_EQ(loaded.info.quantization->weight_scales, model.grids.weight_scales);
    const auto expected = model.network->state_dict(), actual = loaded.model->state_dict();
    ASSERT_EQ(actual.size(), expected.size());
    for (const auto& [name, array] : expected) {
      EXPECT_EQ(actual.at(name).to_tensor(name).shape(), array.shape) << name;
      const Tensor was = array.to_tensor(name), is = actual.at(name).to_tensor(name);
      EXPECT_THAT(is.values(), ::testing::Pointwise(::testing::Eq(), was.values())) << name;
    }
  }
}

TEST_F(CheckpointFile, QuantizedItIsRefusedWhereFloatsAreWanted) {
  const Quantized model;
  ModelInfo info = testing::sample_info();
  info.quantization = model.grids;
  save_checkpoint(path_, *model.network, info);
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, "it is quantised"});
}

TEST_F(CheckpointFile, DamagedQuantizationIsNamed) {
  const Quantized model;
  ModelInfo info = testing::sample_info();
  info.quantization = model.grids;
  save_checkpoint(path_, *model.network, info);
  const Archive whole = read_safetensors(path_);
  const auto load = [&](const std::function<void(Archive&)>& damage) {
    Archive archive = whole;
    damage(archive);
    write_safetensors(path_, archive);
    return refusal<FileError>([&] { load_checkpoint(path_, {.quantized = true}); });
  };
  const std::string head = "classifier.1.weight";
  expect_parts(load([](Archive& a) { a.metadata.erase("quantization"); }), {path_, "quantization"});
  expect_parts(load([&](Archive& a) { a.arrays.erase(head + "_scale"); }),
               {path_, head + "_scale"});
  expect_parts(load([&](Archive& a) { a.arrays[head].bytes[3] = std::byte{0x80}; }),
               {path_, head, "-128", "index 3"});
  expect_parts(load([&](Archive& a) {
                 const float nan = NAN;
                 std::memcpy(a.arrays[head + "_scale"].bytes.data(), &nan, sizeof nan);
               }),
               {path_, head + "_scale", "nan"});
  expect_parts(load([](Archive& a) {
                 auto grids = nlohmann::json::parse(a.metadata["quantization"]);
                 grids.begin().value()["zero_point"] = 300;
                 a.metadata["quantization"] = grids.dump();
               }),
               {path_, "grid", "300"});
  expect_parts(load([](Archive& a) {
                 auto grids = nlohmann::json::parse(a.metadata["quantization"]);
                 grids.erase("images");
                 a.metadata["quantization"] = grids.dump();
               }),
               {path_, "'images' has no grid"});
}

}  // namespace
}  // namespace edgeprune
