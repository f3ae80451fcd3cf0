#include "pruning/masks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "tests/support/masked_model.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::count_zeros;
using testing::identical;
using testing::masks_by;
using testing::small_model;

void fill_prunable(const nn::Network& model, float value) {
  for (PrunableWeight& weight : prunable_weights(model)) weight.variable.value().fill(value);
}

/// Every mask in the order of the network, one behind the other.
std::vector<float> concatenated(const Masks& masks, const nn::Network& model) {
  std::vector<float> all;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const auto values = masks.at(weight.name).values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::string error_of(const nn::Network& model, Method method, double fraction) {
  try {
    masks_by(method, model, fraction);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(MagnitudePruning, PrunesExactlyTheShareOfTheOriginalStudysNetwork) {
  nn::Network model(mobilenet_v2(1.0, 64, 10), 0);
  apply_masks(make_masks(model, Method::magnitude, 0.5), model);
  const ModelSummary summary = summarize(model);
  EXPECT_EQ(summary.prunable, 2202560);
  EXPECT_EQ(summary.prunable - summary.nonzero_prunable, 1101280);
}

TEST(MagnitudePruning, CountsAreExactAtEveryFraction) {
  const nn::Network model = small_model();
  const auto prunable = double(summarize(model).prunable);
  for (const double fraction : {0.0, 0.1, 0.3, 0.5, 0.7, 0.999, 1e-9}) {
    EXPECT_EQ(count_zeros(make_masks(model, Method::magnitude, fraction)),
              std::llround(fraction * prunable))
        << fraction;
  }
}

TEST(MagnitudePruning, WhatGoesIsNeverLargerThanWhatStaysInAnyLayer) {
  const nn::Network model = small_model();
  const Masks masks = make_masks(model, Method::magnitude, 0.6);
  float largest_pruned = 0, smallest_kept = std::numeric_limits<float>::infinity();
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor &value = weight.variable.value(), &mask = masks.at(weight.name);
    ASSERT_EQ(mask.shape(), value.shape());
    for (int64_t i = 0; i < value.count(); ++i) {
      const float magnitude = std::abs(value.data()[i]);
      if (mask.data()[i] == 0.0f) {
        largest_pruned = std::max(largest_pruned, magnitude);
      } else {
        ASSERT_EQ(mask.data()[i], 1.0f);
        smallest_kept = std::min(smallest_kept, magnitude);
      }
    }
  }
  EXPECT_LE(largest_pruned, smallest_kept);
}

TEST(MagnitudePruning, ThresholdIsGlobal) {
  const nn::Network model = small_model();
  fill_prunable(model, 1.0f);
  const std::string small = "features.3.conv.1.0.weight";
  int64_t count = 0, all = 0;
  for (PrunableWeight& weight : prunable_weights(model)) {
    all += weight.variable.value().count();
    if (weight.name != small) continue;
    count = weight.variable.value().count();
    weight.variable.value().fill(-0.5f);
  }
  ASSERT_GT(count, 0);
  for (const auto& [name, mask] :
       make_masks(model, Method::magnitude, double(count) / double(all))) {
    EXPECT_EQ(count_zeros(mask), name == small ? count : 0) << name;
  }
}

TEST(MagnitudePruning, TiesGoByPositionInTheNetwork) {
  const nn::Network model = small_model();
  fill_prunable(model, -0.25f);
  const std::vector<float> mask = concatenated(make_masks(model, Method::magnitude, 0.3), model);
  const auto pruned = std::llround(0.3 * double(mask.size()));
  EXPECT_EQ(std::count(mask.begin(), mask.begin() + pruned, 0.0f), pruned);
  EXPECT_EQ(std::count(mask.begin() + pruned, mask.end(), 1.0f), std::ssize(mask) - pruned);
}

TEST(MagnitudePruning, NegativeZeroIsZero) {
  const nn::Network model = small_model();
  fill_prunable(model, -0.0f);
  EXPECT_EQ(count_zeros(masks_of_zeros(model)), summarize(model).prunable);
  prunable_weights(model).back().variable.value().fill(1.0f);
  const Masks masks = masks_of_zeros(model);
  EXPECT_EQ(count_zeros(masks.at("classifier.1.weight")), 0);
  EXPECT_EQ(count_zeros(masks.at("features.0.0.weight")), masks.at("features.0.0.weight").count());
}

TEST(ChannelPruning, PrunesRoundedCountsInEveryConvolutionAndLeavesTheHead) {
  const nn::Network model = small_model();
  for (const double fraction : {0.0, 0.3, 0.5, 0.7}) {
    const Masks masks = make_masks(model, Method::channel, fraction);
    EXPECT_FALSE(masks.contains("classifier.1.weight"));
    size_t layers = 0, depthwise = 0;
    for (const auto& conv : model.convolutions()) {
      const std::string name = conv->name + ".weight";
      const Tensor& mask = masks.at(name);
      const int64_t channels = mask.dim(0), size = mask.count() / channels;
      int64_t pruned = 0;
      for (int64_t c = 0; c < channels; ++c) {
        const auto row = mask.values().subspan(size_t(c * size), size_t(size));
        const auto zeros = std::count(row.begin(), row.end(), 0.0f);
        EXPECT_TRUE(zeros == 0 || zeros == size) << name << " channel " << c;
        pruned += zeros == size;
      }
      EXPECT_EQ(pruned, std::lrint(fraction * double(channels))) << name;
      ++layers;
      depthwise += conv->shape.depthwise();
    }
    EXPECT_EQ(masks.size(), layers);
    EXPECT_EQ(depthwise, 17u);
  }
}

TEST(ChannelPruning, HalvesAreRoundedToEvenAsInPyTorch) {
  const nn::Network model = small_model();  // the stem has 8 channels: 0.0625 of them is a half
  const auto pruned_of_stem = [&](double fraction) {
    const Tensor mask = make_masks(model, Method::channel, fraction).at("features.0.0.weight");
    return count_zeros(mask) / (mask.count() / mask.dim(0));
  };
  ASSERT_EQ(model.convolutions().front()->weight.value().dim(0), 8);
  EXPECT_EQ(pruned_of_stem(0.0625), 0);
  EXPECT_EQ(pruned_of_stem(0.1875), 2);
  EXPECT_EQ(pruned_of_stem(0.3125), 2);
}

TEST(ChannelPruning, ChoosesTheSmallestL2NormsOfEachLayer) {
  const nn::Network model = small_model();
  const Masks masks = make_masks(model, Method::channel, 0.4);
  for (const auto& conv : model.convolutions()) {
    const Tensor &weight = conv->weight.value(), &mask = masks.at(conv->name + ".weight");
    const int64_t channels = weight.dim(0), size = weight.count() / channels;
    std::vector<std::pair<double, int64_t>> by_norm;
    for (int64_t c = 0; c < channels; ++c) {
      double squares = 0;
      for (int64_t i = 0; i < size; ++i) squares += std::pow(weight.data()[c * size + i], 2.0);
      by_norm.emplace_back(std::sqrt(squares), c);
    }
    std::sort(by_norm.begin(), by_norm.end());
    const int64_t pruned = std::lrint(0.4 * double(channels));
    for (int64_t i = 0; i < channels; ++i) {
      EXPECT_EQ(mask.data()[by_norm[size_t(i)].second * size], i < pruned ? 0.0f : 1.0f)
          << conv->name << " channel " << by_norm[size_t(i)].second;
    }
  }
}

TEST(ChannelPruning, L2NotL1Decides) {
  const nn::Network model = small_model();
  fill_prunable(model, 10.0f);
  Variable weight = prunable_weights(model).front().variable;  // [8,3,3,3]
  Tensor& stem = weight.value();
  std::fill_n(stem.data(), 27, 1.0f);  // L1 27, L2 5.2
  std::fill_n(stem.data() + 27, 27, 0.0f);
  stem.data()[27] = 10.0f;  // L1 10, L2 10
  const Tensor mask = make_masks(model, Method::channel, 0.125).at("features.0.0.weight");
  EXPECT_EQ(mask.data()[0], 0.0f);
  EXPECT_EQ(mask.data()[27], 1.0f);
}

TEST(ChannelPruning, TiesGoToTheFirstChannels) {
  const nn::Network model = small_model();
  fill_prunable(model, 0.5f);
  for (const auto& [name, mask] : make_masks(model, Method::channel, 0.5)) {
    const int64_t half = std::lrint(0.5 * double(mask.dim(0))) * (mask.count() / mask.dim(0));
    EXPECT_EQ(std::count(mask.data(), mask.data() + half, 0.0f), half) << name;
    EXPECT_EQ(count_zeros(mask), half) << name;
  }
}

class EveryMethod : public ::testing::TestWithParam<Method> {};
INSTANTIATE_TEST_SUITE_P(, EveryMethod, ::testing::ValuesIn(values_in(kMethods)),
                         testing::test_name);

TEST_P(EveryMethod, FractionsOutsideTheRangeAreRejected) {
  const nn::Network model = small_model();
  for (const double fraction :
       {1.0, 1.5, -0.1, -1e-12, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_NE(error_of(model, GetParam(), fraction).find("[0, 1)"), std::string::npos) << fraction;
  }
}

TEST_P(EveryMethod, RepeatedPruningOnlyAdds) {
  nn::Network model = small_model();
  Masks before = masks_by(GetParam(), model, 0);
  for (const double fraction : {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}) {
    const Masks masks = masks_by(GetParam(), model, fraction);
    for (const auto& [name, mask] : masks) {
      for (int64_t i = 0; i < mask.count(); ++i) {
        ASSERT_LE(mask.data()[i], before.at(name).data()[i]) << name;
      }
    }
    apply_masks(masks, model);
    // What is left moves, as in fine-tuning; what went stays.
    for (PrunableWeight& weight : prunable_weights(model)) {
      Tensor& value = weight.variable.value();
      Rng rng(7);
      for (float& w : value.values()) {
        if (w != 0.0f) w = rng.normal();
      }
    }
    before = masks;
  }
}

TEST_P(EveryMethod, PruningAgainToTheSameFractionChangesNothing) {
  nn::Network model = small_model();
  const Masks first = masks_by(GetParam(), model, 0.5);
  apply_masks(first, model);
  const Masks second = masks_by(GetParam(), model, 0.5);
  for (const auto& [name, mask] : first) EXPECT_TRUE(identical(mask, second.at(name))) << name;
}

TEST_P(EveryMethod, PruningToLessThanIsPrunedIsRejected) {
  nn::Network model = small_model();
  apply_masks(masks_by(GetParam(), model, 0.5), model);
  EXPECT_NE(error_of(model, GetParam(), 0.3).find("zero already"), std::string::npos);
  EXPECT_EQ(error_of(model, GetParam(), 0.6), "none");
}

TEST_P(EveryMethod, WeightsThatAreNotFiniteAreRejected) {
  for (const float bad : {std::nanf(""), -std::numeric_limits<float>::infinity()}) {
    const nn::Network model = small_model();
    prunable_weights(model).front().variable.value().data()[5] = bad;
    EXPECT_NE(error_of(model, GetParam(), 0.5).find("finite"), std::string::npos) << bad;
  }
}

TEST_P(EveryMethod, NamesAreReadBack) {
  EXPECT_EQ(parse_method(to_string(GetParam())), GetParam());
}

TEST(Methods, UnknownNamesAreRejectedWithTheChoices) {
  for (const char* name : {"", "l1", "Magnitude"}) {
    EXPECT_THROW(parse_method(name), std::invalid_argument) << name;
  }
}

TEST(ChannelPruning, ScatteredZerosAreNoPrunedChannels) {
  nn::Network model = small_model();
  apply_masks(make_masks(model, Method::magnitude, 0.2), model);
  const Masks scattered = masks_of_zeros(model);
  apply_masks(make_masks(model, Method::channel, 0.5), model);
  for (const auto& [name, mask] : masks_of_zeros(model)) {
    for (int64_t i = 0; i < mask.count(); ++i) {
      ASSERT_LE(mask.data()[i], scattered.at(name).data()[i]) << name;
    }
  }
}

TEST(Masks, OfZerosAreThoseThatMadeThem) {
  nn::Network model = small_model();
  const Masks masks = make_masks(model, Method::magnitude, 0.5);
  apply_masks(masks, model);
  const Masks found = masks_of_zeros(model);
  ASSERT_EQ(found.size(), masks.size());
  for (const auto& [name, mask] : masks) EXPECT_TRUE(identical(mask, found.at(name))) << name;
}

TEST(Masks, ApplyZeroesWhatIsMaskedAndNothingElse) {
  nn::Network model = small_model();
  const auto before = model.state_dict();
  const Masks masks = make_masks(model, Method::channel, 0.5);
  apply_masks(masks, model);
  for (const auto& [name, array] : model.state_dict()) {
    if (!masks.contains(name)) {
      EXPECT_EQ(array.bytes, before.at(name).bytes) << name;
      continue;
    }
    const Tensor &mask = masks.at(name), was = before.at(name).to_tensor(name),
                 is = array.to_tensor(name);
    for (int64_t i = 0; i < mask.count(); ++i) {
      ASSERT_EQ(is.data()[i], mask.data()[i] == 0.0f ? 0.0f : was.data()[i]) << name;
    }
  }
}

/// One backward pass that leaves random gradients everywhere.
void set_random_gradients(nn::Network& model, uint64_t seed) {
  for (NamedVariable& parameter : model.parameters()) {
    parameter.variable.backward(testing::random_tensor(parameter.variable.shape(), seed++));
  }
}

TEST(Masks, HoldThroughMomentumAndWeightDecay) {
  for (const std::string& kind : names_of(optim::kOptimizers)) {
    nn::Network model = small_model();
    const auto optimizer = optim::make_optimizer(kind, model.parameters(), 0.01f);
    // Momentum from before the pruning would revive the weights.
    for (uint64_t step = 0; step < 3; ++step) {
      optimizer->zero_grad();
      set_random_gradients(model, 100 * step);
      optimizer->step(0.01f);
    }
    const Masks masks = make_masks(model, Method::magnitude, 0.5);
    hold_masks(masks, *optimizer);
    const auto before = model.state_dict();
    for (uint64_t step = 3; step < 8; ++step) {
      optimizer->zero_grad();
      set_random_gradients(model, 100 * step);
      optimizer->step(0.01f);
      for (const PrunableWeight& weight : prunable_weights(model)) {
        const Tensor &value = weight.variable.value(), &mask = masks.at(weight.name);
        for (int64_t i = 0; i < value.count(); ++i) {
          ASSERT_TRUE(mask.data()[i] != 0.0f || value.data()[i] == 0.0f) << kind << weight.name;
        }
      }
    }
    const auto after = model.state_dict();
    for (const auto& [name, mask] : masks) EXPECT_NE(after.at(name).bytes, before.at(name).bytes);
    EXPECT_EQ(summarize(model).nonzero_prunable, summarize(model).prunable - count_zeros(masks));
  }
}

}  // namespace
}  // namespace edgeprune
