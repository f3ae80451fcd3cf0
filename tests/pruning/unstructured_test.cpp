#include "pruning/masks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/copy_model.h"
#include "models/summary.h"
#include "pruning/prune.h"
#include "pruning/scores.h"
#include "tests/support/masked_model.h"

namespace edgeprune {
namespace {

using testing::count_zeros;
using testing::masks_by;
using testing::small_model;

/// (By value: a Tensor shares its memory, and the handles that hold this one go.)
Tensor weight_of(const nn::Network& model, const std::string& layer) {
  for (PrunableWeight& weight : prunable_weights(model)) {
    if (weight.layer() == layer) return weight.variable.value();
  }
  throw std::runtime_error("no layer " + layer);
}

void scale(Tensor tensor, float factor) {
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.data()[i] *= factor;
}

std::string error_of(const nn::Network& model, Method method, double fraction,
                     const PruneLimits& limits) {
  try {
    masks_by(method, model, fraction, Base::original, limits);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

/// LAMP's score by its definition, equal weights ordered by position.
double lamp_score(const Tensor& weight, int64_t u) {
  const auto square = [&](int64_t i) { return double(weight.data()[i]) * weight.data()[i]; };
  double sum = 0;
  for (int64_t v = 0; v < weight.count(); ++v) {
    if (square(v) > square(u) || (square(v) == square(u) && v >= u)) sum += square(v);
  }
  return square(u) / sum;
}

TEST(Lamp, TheSmallestScoresGoAcrossLayers) {
  const nn::Network model = small_model();
  for (PrunableWeight& weight : prunable_weights(model)) {  // layers of very different scales
    if (!weight.is_conv) scale(weight.variable.value(), 100.0f);
  }
  const Masks masks = make_masks(model, Method::lamp, 0.4);
  const double prunable = double(summarize(model).prunable);
  EXPECT_EQ(count_zeros(masks), std::llround(0.4 * prunable));
  double largest_gone = 0, smallest_kept = 1;
  for (const char* layer : {"features.0.0", "features.1.conv.0.0", "features.2.conv.1.0",
                            "features.3.conv.0.0", "features.5.conv.2"}) {
    const Tensor &weight = weight_of(model, layer),
                 &mask = masks.at(layer + std::string(".weight"));
    for (int64_t i = 0; i < weight.count(); ++i) {
      double& bound = mask.data()[i] == 0.0f ? largest_gone : smallest_kept;
      const double score = lamp_score(weight, i);
      bound = mask.data()[i] == 0.0f ? std::max(bound, score) : std::min(bound, score);
    }
  }
  EXPECT_GT(largest_gone, 0);
  EXPECT_LT(largest_gone, smallest_kept * (1 + 1e-9));
}

TEST(Lamp, ScaleOfALayerDoesNotMatterAndItsLargestWeightIsTheLastToGo) {
  const nn::Network model = small_model(), scaled = small_model();
  scale(weight_of(scaled, "features.4.conv.2"), 0.0009765625f);  // exact in floating point
  const Masks masks = make_masks(model, Method::lamp, 0.6);
  for (const auto& [name, mask] : make_masks(scaled, Method::lamp, 0.6)) {
    EXPECT_TRUE(
        std::equal(mask.values().begin(), mask.values().end(), masks.at(name).values().begin()))
        << name;
  }
  const auto layers = std::ssize(prunable_weights(model));
  const double prunable = double(summarize(model).prunable);
  const double all_but_one_each = (prunable - double(layers)) / prunable;
  for (const auto& [name, mask] : make_masks(scaled, Method::lamp, all_but_one_each)) {
    EXPECT_EQ(count_zeros(mask), mask.count() - 1) << name;
  }
}

TEST(Lamp, TiesGoByPosition) {
  const nn::Network model = small_model();
  for (PrunableWeight& weight : prunable_weights(model)) weight.variable.value().fill(-0.5f);
  for (const auto& [name, mask] : make_masks(model, Method::lamp, 0.3)) {
    const int64_t gone = count_zeros(mask);
    EXPECT_EQ(std::count(mask.data(), mask.data() + gone, 0.0f), gone) << name;
  }
}

class Unstructured : public ::testing::TestWithParam<Method> {};
INSTANTIATE_TEST_SUITE_P(, Unstructured,
                         ::testing::Values(Method::magnitude, Method::lamp, Method::taylor),
                         testing::test_name);

TEST_P(Unstructured, CountsAreExactAndRepeatedPruningOnlyAdds) {
  nn::Network model = small_model();
  const double prunable = double(summarize(model).prunable);
  Masks before = masks_of_zeros(model);
  for (const double fraction : {0.1, 0.35, 0.7, 0.97}) {
    const Masks masks = masks_by(GetParam(), model, fraction);
    EXPECT_EQ(count_zeros(masks), std::llround(fraction * prunable));
    for (const auto& [name, mask] : masks) {
      for (int64_t i = 0; i < mask.count(); ++i) {
        ASSERT_LE(mask.data()[i], before.at(name).data()[i]) << name;
      }
    }
    apply_masks(masks, model);
    before = masks;
  }
  EXPECT_NE(error_of(model, GetParam(), 0.5, {}).find("zero already"), std::string::npos);
}

TEST_P(Unstructured, FractionsOfWhatRemainsAreRoundedFromIt) {
  nn::Network model = small_model();
  const int64_t prunable = summarize(model).prunable;
  int64_t left = prunable;
  for (const double fraction : {0.1, 0.2, 0.3}) {
    const Masks masks = masks_by(GetParam(), model, fraction, Base::remaining);
    left -= std::lrint(fraction * double(left));
    EXPECT_EQ(count_zeros(masks), prunable - left);
    apply_masks(masks, model);
  }
}

TEST_P(Unstructured, KeptLayersStayAndOthersGiveTheirShare) {
  nn::Network model = small_model();
  const double prunable = double(summarize(model).prunable);
  const std::string kept = "classifier.1";
  scale(weight_of(model, kept), 1e-3f);
  ASSERT_GT(count_zeros(masks_by(GetParam(), model, 0.5).at(kept + ".weight")), 0);
  Masks masks = masks_by(GetParam(), model, 0.5, Base::original, {.keep = {kept}});
  EXPECT_EQ(count_zeros(masks.at(kept + ".weight")), 0);
  EXPECT_EQ(count_zeros(masks), std::llround(0.5 * prunable));
  // What was zero before counts.
  weight_of(model, kept).fill(0.0f);
  masks = masks_by(GetParam(), model, 0.5, Base::original, {.keep = {kept}});
  EXPECT_EQ(count_zeros(masks.at(kept + ".weight")), weight_of(model, kept).count());
  EXPECT_EQ(count_zeros(masks), std::llround(0.5 * prunable));
}

TEST_P(Unstructured, EveryLayerKeepsItsMinimumDensityAndTheCountIsMet) {
  const nn::Network model = small_model();
  const PruneLimits limits{.min_density = 0.25};
  const double prunable = double(summarize(model).prunable);
  const Masks masks = masks_by(GetParam(), model, 0.7, Base::original, limits);
  EXPECT_EQ(count_zeros(masks), std::llround(0.7 * prunable));
  int64_t at_the_limit = 0;
  for (const auto& [name, mask] : masks) {
    const int64_t most = mask.count() - least_kept(limits, mask.count());
    EXPECT_LE(count_zeros(mask), most) << name;
    at_the_limit += count_zeros(mask) == most;
  }
  EXPECT_GT(at_the_limit, 0);
}

TEST_P(Unstructured, InsideALayerAtItsLimitTheSmallestStillGo) {
  const nn::Network model = small_model();
  const PruneLimits limits{.min_density = 0.25};
  const Masks masks = masks_by(GetParam(), model, 0.7, Base::original, limits);
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor &value = weight.variable.value(), &mask = masks.at(weight.name);
    float largest_gone = 0, smallest_kept = HUGE_VALF;
    for (int64_t i = 0; i < value.count(); ++i) {
      const float magnitude = std::abs(value.data()[i]);
      if (mask.data()[i] == 0.0f)
        largest_gone = std::max(largest_gone, magnitude);
      else
        smallest_kept = std::min(smallest_kept, magnitude);
    }
    EXPECT_LE(largest_gone, smallest_kept) << weight.name;
  }
}

TEST_P(Unstructured, LimitsThatLeaveTooLittleSayHowManyCanGo) {
  const nn::Network model = small_model();
  const int64_t prunable = summarize(model).prunable,
                head = weight_of(model, "classifier.1").count();
  std::string error = error_of(model, GetParam(), 0.99, {.keep = {"classifier.1"}});
  EXPECT_NE(error.find(std::to_string(prunable - head)), std::string::npos) << error;
  error = error_of(model, GetParam(), 0.9, {.min_density = 0.5});
  EXPECT_NE(error.find("a sparsity of 0.5"), std::string::npos) << error;
  EXPECT_NE(error_of(model, GetParam(), 0.5, {.keep = {"head"}}).find("no layer 'head'"),
            std::string::npos);
}

TEST_P(Unstructured, WeightsThatAreNotFiniteAreRejectedEvenInKeptLayers) {
  const nn::Network model = small_model();
  weight_of(model, "features.0.0").data()[3] = NAN;
  EXPECT_NE(error_of(model, GetParam(), 0.5, {.keep = {"features.0.0"}}).find("finite"),
            std::string::npos);
}

TEST(Blocks, GoTogetherTheSmallestMeansFirst) {
  const nn::Network model = small_model();
  for (const Method method : {Method::magnitude, Method::lamp}) {
    const Masks masks =
        make_masks(model, method, 0.6, Base::original, {}, {}, WeightBlock::four_by_one);
    int64_t blocks = 0, gone = 0;
    double largest_gone = 0, smallest_kept = 1e9;
    for (const PrunableWeight& weight : prunable_weights(model)) {
      const Tensor& value = weight.variable.value();
      const Tensor& mask = masks.at(weight.name);
      const int64_t rows = value.dim(0), row = value.count() / rows;
      for (int64_t first = 0; first < rows; first += 4) {
        for (int64_t k = 0; k < row; ++k) {
          double sum = 0;
          for (int64_t o = first; o < std::min(first + 4, rows); ++o) {
            ASSERT_EQ(mask.data()[o * row + k], mask.data()[first * row + k]) << weight.name;
            sum += std::abs(double(value.data()[o * row + k]));
          }
          sum *= 4.0 / double(std::min<int64_t>(4, rows - first));
          const bool zero = mask.data()[first * row + k] == 0.0f;
          ++blocks;
          gone += zero ? 1 : 0;
          if (zero) largest_gone = std::max(largest_gone, sum);
          if (!zero) smallest_kept = std::min(smallest_kept, sum);
        }
      }
    }
    EXPECT_EQ(gone, std::llround(0.6 * double(blocks)));
    if (method == Method::magnitude) {
      EXPECT_LE(largest_gone, smallest_kept);
    }
  }
}

TEST(Blocks, LampScoresASquareOfTheBlockAgainstTheLargerOnesOfTheLayer) {
  const nn::Network model = small_model();
  const auto units = units_of(model, Method::lamp, WeightBlock::four_by_one);
  const Scores all = scores(units, Method::lamp);
  const Units& last = units.back();  // the head
  const Tensor& weight = last.slices.front().variable.value();
  const int64_t rows = weight.dim(0), row = weight.dim(1);
  ASSERT_NE(rows % 4, 0) << "the last blocks are to be smaller";
  std::vector<double> squares(static_cast<size_t>(last.count), 0.0);
  for (int64_t i = 0; i < weight.count(); ++i) {
    squares[static_cast<size_t>(i / row / 4 * row + i % row)] +=
        double(weight.data()[i]) * weight.data()[i];
  }
  for (int64_t i = rows / 4 * row; i < last.count; ++i) {
    squares[static_cast<size_t>(i)] *= 4.0 / double(rows % 4);
  }
  for (size_t u = 0; u < squares.size(); ++u) {
    double larger = 0;
    for (size_t v = 0; v < squares.size(); ++v) {
      if (squares[v] > squares[u] || v == u) larger += squares[v];
    }
    ASSERT_NEAR(all.back()[u], squares[u] / larger, 1e-9);
  }
}

TEST(Blocks, AreForWeightsAndStayInRepeatedPruning) {
  PruneRequest request{.method = Method::channel, .block = WeightBlock::four_by_one};
  request.step.fraction = 0.5;
  EXPECT_THROW(prune(copy_of(small_model()), request), std::invalid_argument);
  request.method = Method::magnitude;
  Pruned once = prune(copy_of(small_model()), request);
  const int64_t zeros = count_zeros(once.masks);
  request.step.fraction = 0.8;
  const Pruned twice = prune(std::move(once.model), request);
  EXPECT_GT(count_zeros(twice.masks), zeros);
  for (const auto& [name, mask] : twice.masks) {
    if (mask.shape().rank() < 2 || mask.dim(0) % 4 != 0) continue;
    const int64_t row = mask.count() / mask.dim(0);
    for (int64_t i = 0; i < mask.count(); ++i) {
      ASSERT_EQ(mask.data()[i], mask.data()[i / (4 * row) * 4 * row + i % row]) << name;
    }
  }
}

}  // namespace
}  // namespace edgeprune
