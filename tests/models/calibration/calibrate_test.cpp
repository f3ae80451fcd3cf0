#include "models/calibration/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/inference/plan.h"
#include "models/fold.h"
#include "tests/support/message_of.h"
#include "tests/support/small_graphs.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::random_tensor;
using testing::relative_error;

Histogram histogram_of(const std::vector<float>& values) {
  Histogram histogram;
  for (const float value : values) histogram.add({&value, 1});  // so that its range has to grow
  return histogram;
}

TEST(Histogram, HasTheRangeOfAllValues) {
  const Range range = histogram_of({0.0f, 0.5f, -0.25f, 8.0f, 3.0f}).range(Observer::minmax, 256);
  EXPECT_EQ(range.least, -0.25f);
  EXPECT_EQ(range.greatest, 8.0f);
  const Range none = Histogram().range(Observer::minmax, 256);
  EXPECT_EQ(none.greatest - none.least, 0.0f);
}

/// 100000 values from -1 to 1, evenly, and one outlier.
Histogram with_outlier() {
  std::vector<float> values;
  for (int i = 0; i <= 100000; ++i) values.push_back(float(i) / 50000 - 1);
  Histogram histogram;
  histogram.add(values);
  const float outlier = 100;
  histogram.add({&outlier, 1});
  return histogram;
}

TEST(Histogram, PercentileLeavesTheOutermostOut) {
  const Range range = with_outlier().range(Observer::percentile, 256);
  EXPECT_NEAR(range.greatest, 1, 0.1);
  EXPECT_NEAR(range.least, -1, 0.1);
}

TEST(Histogram, LeastErrorWeighsTheOutlierAgainstTheSteps) {
  // Many equal steps among the values gain more than the one outlier loses, and nothing is cut for nothing.
  EXPECT_LT(with_outlier().range(Observer::mse, 16).greatest, 99);
  const Range even = histogram_of({-1.0f, -0.5f, 0.0f, 0.5f, 1.0f}).range(Observer::mse, 5);
  EXPECT_NEAR(even.greatest, 1, 0.05);
}

TEST(Histogram, RefusesWhatIsNotFinite) {
  EXPECT_EQ(message_of<std::invalid_argument>([] {
              histogram_of({1.0f, NAN});
            }),
            "[calibration] a value is not finite");
}

/// Two convolutions with ReLU between them, whose channels are of very different sizes.
std::unique_ptr<nn::Network> uneven(Activation activation) {
  Graph graph;
  size_t last = graph.append("images", kind::Input{3, 8, 8}, {});
  last = graph.append("a", kind::Convolution{6, 3, 1, 1, true}, {last});
  last = graph.append("act", kind::Activate{activation}, {last});
  last = graph.append("b", kind::Depthwise{3, 1, 1, true}, {last});
  last = graph.append("c", kind::Convolution{4, 1, 1, 0, true}, {last});
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  graph.append("head", kind::Linear{4}, {last});
  auto network = std::make_unique<nn::Network>(graph, 5);
  Tensor& weight = network->convolutions()[0]->weight.value();
  for (int64_t i = 0; i < weight.count(); ++i) weight.data()[i] *= std::pow(4.0f, float(i / 27));
  network->train(false);
  return network;
}

TEST(Equalized, IsTheSameFunctionWithChannelsOfOneSize) {
  const auto network = uneven(Activation::relu);
  const auto even = equalized(*network);
  const Tensor images = random_tensor({2, 8, 8, 3}, 1);
  EXPECT_LE(relative_error(testing::logits_of(*even, images), testing::logits_of(*network, images)),
            1e-5);
  const auto largest = [](const Tensor& weight, int64_t o) {
    float most = 0;
    const int64_t row = weight.count() / weight.dim(0);
    for (int64_t i = o * row; i < (o + 1) * row; ++i)
      most = std::max(most, std::abs(weight.data()[i]));
    return most;
  };
  const Tensor &a = even->convolutions()[0]->weight.value(),
               &b = even->convolutions()[1]->weight.value();
  for (int64_t c = 0; c < 6; ++c) EXPECT_NEAR(largest(a, c) / largest(b, c), 1, 0.01) << c;
}

TEST(Equalized, Relu6BecomesReluAndDeadChannelsStay) {
  auto network = uneven(Activation::relu6);
  Tensor& weight = network->convolutions()[0]->weight.value();
  std::fill_n(weight.data(), 27, 0.0f);
  const auto even = equalized(*network);
  const Kind& act = even->graph().nodes[even->graph().find("act").value()].kind;
  EXPECT_EQ(std::get<kind::Activate>(act).activation, Activation::relu);
  for (const float w : even->convolutions()[0]->weight.value().values())
    EXPECT_TRUE(std::isfinite(w));
  EXPECT_EQ(even->convolutions()[0]->weight.value().data()[0], 0.0f);
}

TEST(CorrectBiases, RoundingNoLongerShiftsTheMeans) {
  const auto exact = uneven(Activation::relu);
  const std::vector<Tensor> batches = {random_tensor({16, 8, 8, 3}, 1)};
  CalibrationOptions options{Observer::minmax, false, false};
  const auto shift = [&] {
    const QuantizedNetwork quantized = quantize(*exact, batches, options);
    RoundedOutputs rounding(*quantized.network, quantized.quantization);
    Rng unused(0);
    const NoGrad no_grad;
    const Tensor logits =
        quantized.network->forward(Variable(batches[0]), unused, &rounding).value();
    const Tensor expected = testing::logits_of(*exact, batches[0]);
    double sum = 0;
    for (int64_t i = 0; i < logits.count(); i += 4) sum += logits.data()[i] - expected.data()[i];
    return std::abs(sum) / double(logits.count() / 4);
  };
  const double before = shift();
  options.correct_biases = true;
  EXPECT_LT(shift(), 0.05 * before);
}

/// An inverted residual that adds its input. Deep random networks would make much of single roundings.
Graph inverted_residual() {
  using kind::Convolution;
  Graph graph;
  const size_t images = graph.append("images", kind::Input{3, 16, 16}, {});
  const auto unit = testing::append_unit;
  const size_t stem = unit(graph, "stem", Convolution{24, 3, 2, 1}, images, Activation::relu6);
  const size_t in = unit(graph, "in", Convolution{20}, stem, Activation::none);
  const size_t wide = unit(graph, "wide", Convolution{36}, in, Activation::relu6);
  const size_t deep = unit(graph, "deep", kind::Depthwise{3, 1, 1}, wide, Activation::relu);
  const size_t out = unit(graph, "out", Convolution{20}, deep, Activation::none);
  const size_t sum = graph.append("sum", kind::Add{}, {in, out});
  const size_t last = unit(graph, "last", Convolution{40}, sum, Activation::relu6);
  const size_t pool = graph.append("pool", kind::GlobalAveragePool{}, {last});
  const size_t dropout = graph.append("dropout", kind::Dropout{0.2f}, {pool});
  graph.append("head", kind::Linear{10}, {dropout});
  return graph;
}

/// MobileNetV3's: depthwise layers of 5x5, squeeze-and-excite behind hard_swish and behind ReLU, which `rectified`
/// says.
Graph gated(bool rectified) {
  using kind::Convolution;
  const Activation bend = rectified ? Activation::relu : Activation::hard_swish;
  Graph graph;
  const auto unit = testing::append_unit;
  const size_t images = graph.append("images", kind::Input{3, 16, 16}, {});
  const size_t stem = unit(graph, "stem", Convolution{20, 3, 2, 1}, images, Activation::hard_swish);
  const size_t wide = unit(graph, "wide", Convolution{36}, stem, bend);
  const size_t deep = unit(graph, "deep", kind::Depthwise{5, 1, 2}, wide, bend);
  const size_t mean = graph.append("mean", kind::GlobalAveragePool{}, {deep});
  const size_t fc1 = graph.append("fc1", Convolution{12, 1, 1, 0, true}, {mean});
  const size_t act = graph.append("act", kind::Activate{Activation::relu}, {fc1});
  const size_t fc2 = graph.append("fc2", Convolution{36, 1, 1, 0, true}, {act});
  const size_t gate = graph.append("gate", kind::Activate{Activation::hard_sigmoid}, {fc2});
  const size_t excited = graph.append("excited", kind::Multiply{}, {deep, gate});
  const size_t out = unit(graph, "out", Convolution{20}, excited, Activation::none);
  const size_t sum = graph.append("sum", kind::Add{}, {stem, out});
  const size_t pool = graph.append("pool", kind::GlobalAveragePool{}, {sum});
  const size_t hidden = graph.append("hidden", kind::Linear{30}, {pool});
  const size_t bent = graph.append("bent", kind::Activate{Activation::hard_swish}, {hidden});
  graph.append("head", kind::Linear{10}, {bent});
  return graph;
}

TEST(Quantize, GatesAndExcitationsAreIntegersToo) {
  const auto model = testing::trained_model(gated(false));
  const QuantizedNetwork quantized =
      quantize(*model, std::vector<Tensor>{random_tensor({8, 16, 16, 3}, 1)}, {});
  EXPECT_TRUE(quantized.floats.empty());
  const inference::Graph graph = in_integers(*quantized.network, quantized.quantization);
  for (const inference::QuantizedLayer& layer : graph.integers->layers) {
    EXPECT_TRUE(layer.integers) << layer.name;
  }
}

TEST(Quantize, ProductsOfWhatIsNeverNegativeAreBehindReluToo) {
  for (const bool rectified : {false, true}) {
    const auto network = without_batch_norm(*testing::trained_model(gated(rectified)));
    std::vector<std::string> narrow;
    for (const auto& [node, seven_bits] : quantized_outputs(*network)) {
      if (seven_bits) narrow.push_back(network->graph().nodes[node].name);
    }
    // What ReLU hands to a convolution. Of `deep`, the pool and the product are the readers.
    const std::vector<std::string> gates{"act"}, relus{"wide.act", "act", "excited"};
    EXPECT_EQ(narrow, rectified ? relus : gates);
  }
}

TEST(Quantize, IntegersComputeWhatRoundedFloatsDo) {
  for (const auto& [graph, equalize] : {std::pair{inverted_residual(), false},
                                        {inverted_residual(), true},
                                        {gated(false), false},
                                        {gated(true), true}}) {
    const auto model = testing::trained_model(graph);
    const std::vector<Tensor> batches = {random_tensor({8, 16, 16, 3}, 1)};
    const QuantizedNetwork quantized =
        quantize(*model, batches, {Observer::minmax, equalize, true});
    RoundedOutputs rounding(*quantized.network, quantized.quantization);
    const NoGrad no_grad;
    Rng unused(0);
    const Tensor& images = batches[0];
    const Tensor rounded = quantized.network->forward(Variable(images), unused, &rounding).value();
    Tensor integers(rounded.shape());
    inference::Plan(in_integers(*quantized.network, quantized.quantization),
                    inference::Engine::int8, 8)
        .run(images.data(), integers.data());
    // A sum that lies between two whole numbers may be rounded either way.
    EXPECT_LE(relative_error(integers, rounded), 0.02) << equalize;
    EXPECT_LE(relative_error(integers, testing::logits_of(*model, images)), 0.05) << equalize;
  }
}

TEST(Quantize, MaxPoolsAndSumsThenReluRunInIntegers) {
  using kind::Convolution;
  Graph graph;
  const auto unit = testing::append_unit;
  const size_t images = graph.append("images", kind::Input{3, 16, 16}, {});
  const size_t stem = unit(graph, "stem", Convolution{20, 7, 2, 1}, images, Activation::relu);
  const size_t pool = graph.append("max", kind::MaxPool{3, 2, 1}, {stem});
  const size_t first = unit(graph, "first", Convolution{20, 3, 1, 1}, pool, Activation::relu);
  const size_t second = unit(graph, "second", Convolution{20, 3, 1, 1}, first, Activation::none);
  const size_t sum = graph.append("sum", kind::Add{}, {second, pool});
  const size_t relu = graph.append("relu", kind::Activate{Activation::relu}, {sum});
  const size_t mean = graph.append("mean", kind::GlobalAveragePool{}, {relu});
  graph.append("head", kind::Linear{10}, {mean});
  const auto model = testing::trained_model(graph);
  const Tensor batch = random_tensor({8, 16, 16, 3}, 1);
  const QuantizedNetwork quantized =
      quantize(*model, std::vector<Tensor>{batch}, {Observer::minmax, false, true});
  EXPECT_TRUE(quantized.floats.empty());
  const Tensor exact = testing::logits_of(*model, batch);
  Tensor integers(exact.shape());
  inference::Plan plan(in_integers(*quantized.network, quantized.quantization),
                       inference::Engine::int8, 8);
  plan.run(batch.data(), integers.data());
  EXPECT_LE(relative_error(integers, exact), 0.05);
  for (const inference::StepInfo& step : plan.steps()) {
    EXPECT_TRUE(step.kernel.starts_with("int8")) << step.layer << ": " << step.kernel;
  }
}

TEST(Quantize, LayersThatAreKeptStayFloats) {
  const auto model = testing::trained_model(inverted_residual());
  const Tensor images = random_tensor({8, 16, 16, 3}, 1);
  const std::vector<FloatLayers> kept{
      {{"stem", ""}}, {{"in", ""}}, {{"deep", ""}, {"out", ""}}, {{"last", ""}}, {{"head", ""}}};
  for (const FloatLayers& keep : kept) {
    CalibrationOptions options{Observer::minmax, false, false, keep};
    const QuantizedNetwork quantized = quantize(*model, std::vector<Tensor>{images}, options);
    EXPECT_EQ(quantized.floats, keep);
    EXPECT_EQ(float_layers(*quantized.network, quantized.quantization).size(), keep.size());
    const Tensor exact = testing::logits_of(*model, images);
    Tensor integers(exact.shape());
    inference::Plan(in_integers(*quantized.network, quantized.quantization),
                    inference::Engine::int8, 8)
        .run(images.data(), integers.data());
    RoundedOutputs rounding(*quantized.network, quantized.quantization);
    const NoGrad no_grad;
    Rng unused(0);
    const Tensor rounded = quantized.network->forward(Variable(images), unused, &rounding).value();
    EXPECT_LE(relative_error(integers, rounded), 0.02) << keep.begin()->first;
    EXPECT_LE(relative_error(integers, exact), 0.05) << keep.begin()->first;
    const auto same = [&](const auto& a, const auto& b) {
      for (size_t i = 0; i < a.size(); ++i) {
        const auto x = a[i]->weight.value().values(), y = b[i]->weight.value().values();
        EXPECT_EQ(std::ranges::equal(x, y), keep.contains(a[i]->name)) << a[i]->name;
      }
    };
    same(quantized.exact->convolutions(), quantized.network->convolutions());
    same(quantized.exact->linears(), quantized.network->linears());
  }
}

TEST(Quantize, NothingLeftForIntegersIsRefused) {
  const auto model = testing::trained_model(inverted_residual());
  CalibrationOptions options;
  for (const char* name : {"stem", "in", "wide", "deep", "out", "last", "head"}) {
    options.keep[name] = "";
  }
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              quantize(*model, std::vector<Tensor>{random_tensor({1, 16, 16, 3}, 1)}, options);
            }),
            "[quantize] no layer is left for integers");
}

TEST(Quantize, ZeroWeightsStayZero) {
  const auto model = testing::trained_model(0.25);
  for (const auto& layer : model->convolutions()) {
    Tensor& weight = layer->weight.value();
    for (int64_t i = 0; i < weight.count(); i += 2) weight.data()[i] = 0;
  }
  const QuantizedNetwork quantized =
      quantize(*model, {random_tensor({2, 32, 32, 3}, 1)}, {Observer::mse, true, true});
  for (const auto& layer : quantized.network->convolutions()) {
    const Tensor& weight = layer->weight.value();
    for (int64_t i = 0; i < weight.count(); i += 2)
      ASSERT_EQ(weight.data()[i], 0.0f) << layer->name;
  }
}

TEST(Quantize, RefusesInOneLine) {
  const auto model = testing::trained_model(0.25);
  const auto refusal = [&](const std::vector<Tensor>& batches) {
    return message_of<std::invalid_argument>([&] { quantize(*model, batches, {}); });
  };
  EXPECT_EQ(refusal({}), "[calibration] expected images, got none");
  // Flat images of several greys, as the normalisation leaves them: three numbers each.
  Tensor flat({2, 32, 32, 3});
  for (int64_t i = 0; i < flat.count(); ++i) flat.data()[i] = float(i % 3 + i / (32 * 32 * 3));
  EXPECT_EQ(refusal({flat, flat}),
            "[calibration] expected images that show something, got 4 of one colour each");
  flat.data()[flat.count() - 1] += 1;  // the last pixel of the last one
  EXPECT_EQ(refusal({flat}), testing::kNothingThrown);
  Tensor nan({1, 32, 32, 3}, 0.5f);
  nan.data()[7] = NAN;
  EXPECT_EQ(refusal({nan}), "[calibration] a value is not finite at node 'images'");
}

TEST(ErrorsByLayer, AreOfEveryLayerWithWeights) {
  const auto model = testing::trained_model(inverted_residual());
  const Tensor images = random_tensor({4, 16, 16, 3}, 1);
  const auto errors = errors_by_layer(quantize(*model, {images}, {}));
  EXPECT_EQ(errors.size(), model->convolutions().size() + 1);
  EXPECT_EQ(errors.front().layer, "stem");
  EXPECT_EQ(errors.back().layer, "head");
  for (const LayerError& error : errors) {
    EXPECT_GT(error.weights, 30) << error.layer;
    EXPECT_GT(error.logits, 25) << error.layer;
  }
}

}  // namespace
}  // namespace edgeprune
