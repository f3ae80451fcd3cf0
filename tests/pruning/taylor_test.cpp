// First-order Taylor importance against its formula, written out over the gradients of real batches.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/ops/cross_entropy.h"
#include "models/summary.h"
#include "pruning/prune.h"
#include "pruning/scores.h"
#include "tests/support/masked_model.h"
#include "tests/support/small_graphs.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::count_zeros;
using testing::trained_model;

/// Three batches of random images and labels.
void run_batches(nn::Network& model, const std::function<void()>& after_batch) {
  const std::vector<int> labels{3, 1, 4, 1, 5, 9};
  const int64_t size = model.graph().input_size();
  for (const uint64_t seed : {5, 6, 7}) {
    for (NamedVariable& parameter : model.parameters()) parameter.variable.clear_grad();
    const Variable images(testing::random_tensor({6, size, size, 3}, seed));
    Rng unused(0);
    ops::cross_entropy(model.forward(images, unused), labels).backward();
    after_batch();
  }
}

Gradients of(nn::Network& model) {
  return [&model](const std::function<void()>& after_batch) { run_batches(model, after_batch); };
}

using Products = std::map<std::string, std::vector<double>>;

/// Of every batch g * w of every parameter.
std::vector<Products> products_of(nn::Network& model) {
  std::vector<Products> batches;
  run_batches(model, [&] {
    Products& products = batches.emplace_back();
    for (const auto& [name, variable] : model.parameters()) {
      const Tensor &g = variable.grad(), &w = variable.value();
      for (int64_t i = 0; i < w.count(); ++i) {
        products[name].push_back(g.defined() ? double(g.data()[i]) * w.data()[i] : 0);
      }
    }
  });
  return batches;
}

/// The mean over the batches of the squared sum over those of a parameter's values that `counts`.
template <typename Counts>
double score_by_formula(nn::Network& model, const std::vector<Products>& batches,
                        const Counts& counts) {
  double score = 0;
  for (const Products& products : batches) {
    double sum = 0;
    for (const auto& [name, variable] : model.parameters()) {
      const Shape& shape = variable.shape();
      for (int64_t i = 0; i < shape.count(); ++i) {
        int64_t index[4] = {0, 0, 0, 0}, rest = i;
        for (size_t d = shape.rank(); d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
        if (counts(name, i, index)) sum += products.at(name)[size_t(i)];
      }
    }
    score += sum * sum / double(batches.size());
  }
  return score;
}

std::unique_ptr<nn::Network> tiny() {
  return trained_model(testing::squeeze_and_excite_graph());
}

TEST(Taylor, OfAWeightIsTheMeanSquareOfGradientTimesWeight) {
  const auto model = tiny();
  const auto batches = products_of(*model);
  const auto units = weights_of(*model);
  const Scores all = scores(units, Method::taylor, of(*model));
  int64_t above = 0;
  for (size_t u = 0; u < units.size(); ++u) {
    const std::string& weight = units[u].slices[0].name;
    for (const int64_t at : {int64_t{0}, units[u].count / 2, units[u].count - 1}) {
      const double expected = score_by_formula(
          *model, batches,
          [&](const auto& name, int64_t i, const auto&) { return name == weight && i == at; });
      EXPECT_NEAR(all[u][size_t(at)], expected, 1e-12 * expected + 1e-300) << weight << at;
      above += expected > 0;
    }
  }
  EXPECT_GT(above, std::ssize(units)) << "most weights matter";
}

TEST(Taylor, OfAnOutputChannelIsTheSumOverItsFilterFirst) {
  const auto model = tiny();
  const auto batches = products_of(*model);
  const auto units = output_channels_of(*model);
  const Scores all = scores(units, Method::channel_taylor, of(*model));
  for (size_t u = 0; u < units.size(); ++u) {
    const std::string& weight = units[u].slices[0].name;
    for (int64_t c = 0; c < units[u].count; ++c) {
      const double expected =
          score_by_formula(*model, batches, [&](const auto& name, int64_t, const int64_t* index) {
            return name == weight && index[0] == c;
          });
      EXPECT_NEAR(all[u][size_t(c)], expected, 1e-9 * expected + 1e-300) << weight << c;
    }
  }
}

TEST(Taylor, OfAGroupsChannelIsTheSumOverAllItsParametersFirst) {
  const auto model = tiny();
  const auto batches = products_of(*model);
  const auto groups = channel_groups(model->graph());
  const Scores all = scores(channels_of(*model, groups), Method::channel_taylor, of(*model));
  ASSERT_GT(groups.size(), 1u);
  for (size_t g = 0; g < groups.size(); ++g) {
    for (int64_t c = 0; c < groups[g].channels; ++c) {
      const double expected =
          score_by_formula(*model, batches, [&](const auto& name, int64_t, const int64_t* index) {
            return std::any_of(groups[g].slices.begin(), groups[g].slices.end(),
                               [&](const ChannelSlice& slice) {
                                 return slice.tensor == name && index[slice.axis] == c;
                               });
          });
      EXPECT_NEAR(all[g][size_t(c)], expected, 1e-9 * expected + 1e-300) << groups[g].name << c;
    }
  }
}

TEST(Taylor, AChannelOfLargeWeightsThatTheLossDoesNotFeelGoesFirst) {
  const auto model = trained_model(0.25);
  const auto groups = channel_groups(model->graph());
  ASSERT_EQ(groups[1].name, "features.2 expansion");
  const int64_t deaf = 5;
  for (const auto& [name, axis] : groups[1].slices) {
    for (NamedVariable& parameter : model->parameters()) {
      if (parameter.name != name) continue;
      Tensor& value = parameter.variable.value();
      const int64_t channels = groups[1].channels, inner = value.count() / channels;
      for (int64_t k = 0; k < inner; ++k) {
        // What reads the channel has nothing of it.
        if (axis == 1) value.data()[k * channels + deaf] = 0;
        if (axis == 0) value.data()[deaf * inner + k] *= 50;
      }
    }
  }
  const auto first_of = [&](Method method) {
    const auto plan = plan_smallest_channels(*model, 1.0 / double(groups[1].channels), {},
                                             Base::original, {}, method, of(*model));
    const auto& kept = plan[1].kept;
    for (int64_t c = 0; c < groups[1].channels; ++c) {
      if (!std::binary_search(kept.begin(), kept.end(), c)) return c;
    }
    return int64_t{-1};
  };
  EXPECT_EQ(first_of(Method::channel_taylor), deaf);
  EXPECT_NE(first_of(Method::channel), deaf);
}

TEST(Taylor, WeightsThatTheLossDoesNotFeelGoFirstHoweverLarge) {
  const auto model = trained_model(0.25);
  Tensor filters = model->convolutions()[3]->weight.value(),
         gamma = model->norms()[3]->weight.value();
  const std::string name = model->convolutions()[3]->name + ".weight";
  const int64_t size = filters.count() / filters.dim(0);
  gamma.data()[2] = 0;  // the batch norm behind it makes a constant of channel 2
  std::fill_n(filters.data() + 2 * size, size, 100.0f);
  const double share = double(size) / double(summarize(*model).prunable);
  for (const auto& [method, gone] : {std::pair{Method::taylor, size}, {Method::magnitude, 0L}}) {
    const Masks masks = make_masks(*model, method, share, Base::original, {}, of(*model));
    EXPECT_EQ(count_zeros(masks), size);
    const float* row = masks.at(name).data() + 2 * size;
    EXPECT_EQ(std::count(row, row + size, 0.0f), gone) << to_string(method);
  }
}

/// All gradients zero, or none at all.
Gradients dead(nn::Network& model, bool defined) {
  return [&model, defined](const std::function<void()>& after_batch) {
    for (NamedVariable& parameter : model.parameters()) {
      parameter.variable.clear_grad();
      if (defined) parameter.variable.backward(Tensor(parameter.variable.shape(), 0.0f));
    }
    after_batch();
  };
}

TEST(Taylor, WithoutAnyGradientWeightsAreNotTakenForPruned) {
  for (const bool defined : {false, true}) {
    nn::Network model = testing::small_model();
    apply_masks(make_masks(model, Method::magnitude, 0.1), model);
    const Masks before = masks_of_zeros(model);
    const int64_t prunable = summarize(model).prunable;
    const PruneLimits limits{.keep = {"features.0.0"}};
    // Below what has gone it is an error, above exact, what was zero is among it, the rest by position.
    EXPECT_THROW(make_masks(model, Method::taylor, 0.05, Base::original, {}, dead(model, defined)),
                 std::invalid_argument);
    const Masks masks =
        make_masks(model, Method::taylor, 0.3, Base::original, limits, dead(model, defined));
    EXPECT_EQ(count_zeros(masks), std::llround(0.3 * double(prunable)));
    EXPECT_TRUE(
        testing::identical(masks.at("features.0.0.weight"), before.at("features.0.0.weight")));
    EXPECT_EQ(count_zeros(masks.at("features.1.conv.0.0.weight")),
              masks.at("features.1.conv.0.0.weight").count());
    EXPECT_TRUE(
        testing::identical(masks.at("classifier.1.weight"), before.at("classifier.1.weight")));
    for (const auto& [name, mask] : masks) {
      for (int64_t i = 0; i < mask.count(); ++i) {
        ASSERT_LE(mask.data()[i], before.at(name).data()[i]) << name;
      }
    }
  }
}

TEST(Taylor, GroupsPrunedAndRemovedStepByStepEndAtTheTarget) {
  auto masked = trained_model(0.25), small = trained_model(0.25);
  const auto groups = channel_groups(masked->graph());
  for (const double fraction : {0.2, 0.4, 0.6}) {
    PruneRequest request{
        .method = Method::channel_taylor, .mode = PruneMode::group_mask, .step = {fraction}};
    masked = prune(std::move(masked), request, run_batches).model;
    request.mode = PruneMode::compact;
    small = prune(std::move(small), request, run_batches).model;
  }
  const auto left = channel_groups(small->graph());
  for (size_t g = 0; g < groups.size(); ++g) {
    EXPECT_EQ(left[g].channels, groups[g].channels - std::lrint(0.6 * double(groups[g].channels)));
  }
  const Tensor images = testing::random_tensor({4, 32, 32, 3}, 11);
  const Tensor expected = testing::logits_of(*masked, images);
  EXPECT_LT(testing::max_abs_error(testing::logits_of(*small, images), expected), 1e-4);
}

TEST(Scores, OfMethodsThatMeasureWantImages) {
  const auto model = tiny();
  const auto error_of = [&](const Gradients& gradients) -> std::string {
    try {
      scores(weights_of(*model), Method::taylor, gradients);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(error_of({}), "[prune] method taylor measures gradients on images, and there are none");
  EXPECT_NE(error_of([](const auto&) {}).find("no batches"), std::string::npos);
  const std::string infinite = error_of([&](const std::function<void()>& after_batch) {
    Variable weight = model->convolutions()[1]->weight;
    weight.clear_grad();
    weight.backward(Tensor(weight.shape(), std::numeric_limits<float>::infinity()));
    after_batch();
  });
  EXPECT_NE(infinite.find("scores of expand by taylor are not all finite"), std::string::npos)
      << infinite;
}

TEST(Scores, OnlyWhatIsZeroScoresZero) {
  const auto model = tiny();
  model->convolutions()[0]->weight.value().data()[4] = 0;
  for (const Method method : values_in(kMethods)) {
    const auto units = units_of(*model, method);
    for (const Gradients& gradients : {of(*model), dead(*model, true)}) {
      const Scores all = scores(units, method, gradients);
      for (size_t u = 0; u < units.size(); ++u) {
        const auto zeros = std::count(all[u].begin(), all[u].end(), 0.0);
        EXPECT_EQ(zeros, u == 0 && !is_structured(method)) << units[u].name << to_string(method);
      }
    }
  }
}

}  // namespace
}  // namespace edgeprune
