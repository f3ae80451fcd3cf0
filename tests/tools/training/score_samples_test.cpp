#include "tools/training/score_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/loader.h"
#include "engine/base/parallel.h"
#include "engine/ops/cross_entropy.h"
#include "pruning/scores.h"
#include "tests/support/message_of.h"
#include "tests/support/small_pruning.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;

struct SmallScoring {
  explicit SmallScoring(int64_t images = 96) : training(synthetic(images, Split::train, 0)) {
    info.classes = training.classes;
  }
  Samples samples(int64_t images, uint64_t seed = 1) const {
    return score_samples(Method::taylor, info, training, images, seed);
  }
  Scores taylor_scores(int64_t images, uint64_t seed = 1) {
    const Samples some = samples(images, seed);
    return scores(weights_of(*model), Method::taylor,
                  [&](const auto& after_batch) { some(*model, after_batch); });
  }

  Dataset training;
  ModelInfo info;
  std::unique_ptr<nn::Network> model = testing::trained_model(0.25);
};

TEST(ScoreSamples, AreGradientsOfTheEvaluatedNetworksCrossEntropy) {
  SmallScoring small(32);
  std::map<std::string, Tensor> gradients;
  int batches = 0;
  small.samples(32)(*small.model, [&] {
    ++batches;
    for (const auto& [name, variable] : small.model->parameters()) {
      gradients[name] = variable.grad().clone();
    }
  });
  EXPECT_EQ(batches, 1);
  Loader loader(small.training, {.batch = 32, .input_size = 32, .augmentation = {}});
  Batch batch;
  loader.start_epoch(0);
  ASSERT_TRUE(loader.next(batch));
  Rng unused(0);
  ops::cross_entropy(small.model->forward(Variable(batch.input), unused), batch.labels).backward();
  for (const auto& [name, variable] : small.model->parameters()) {
    double largest = 0;  // in another order of the images the sums differ by rounding
    for (const float g : variable.grad().values()) largest = std::max(largest, std::abs(double(g)));
    EXPECT_LT(testing::max_abs_error(gradients.at(name), variable.grad()), 1e-4 * largest) << name;
  }
}

TEST(ScoreSamples, LeaveTheNetworkAsItWas) {
  for (const bool training : {false, true}) {
    SmallScoring small;
    const SmallScoring untouched;
    small.model->train(training);
    const auto parameters = small.model->parameters();
    Variable with_gradient = parameters[4].variable;
    with_gradient.backward(Tensor(with_gradient.shape(), 3.0f));
    small.samples(96)(*small.model, [&] { EXPECT_FALSE(small.model->training()); });
    EXPECT_TRUE(same_weights(*small.model, *untouched.model));
    EXPECT_EQ(small.model->training(), training);
    for (const NamedVariable& parameter : parameters) {
      EXPECT_EQ(parameter.variable.grad().defined(), parameter.name == parameters[4].name);
    }
    EXPECT_EQ(with_gradient.grad().data()[0], 3.0f);
  }
}

TEST(ScoreSamples, ThreadsChangeScoresByRoundingAndSeedsByMore) {
  SmallScoring small;
  const auto on_threads = [&](int count, uint64_t seed) {
    const ThreadScope threads(count);
    return small.taylor_scores(64, seed);
  };
  const Scores one = on_threads(1, 1), two = on_threads(2, 1), other = on_threads(1, 2);
  EXPECT_EQ(on_threads(1, 1), one) << "bit for bit";
  const auto difference = [&](const Scores& scores) {  // relative, of norms layer by layer
    double most = 0;
    for (size_t u = 0; u < scores.size(); ++u) {
      double apart = 0, size = 0;
      for (size_t i = 0; i < scores[u].size(); ++i) {
        apart += std::pow(scores[u][i] - one[u][i], 2);
        size += std::pow(one[u][i], 2);
      }
      most = std::max(most, std::sqrt(apart / size));
    }
    return most;
  };
  EXPECT_LT(difference(two), 1e-3);
  EXPECT_GT(difference(other), 0.05);
}

TEST(ScoreSamples, AreAsManyImagesAsWantedOrThereAre) {
  for (const auto& [images, batches] : {std::pair{1, 1}, {32, 1}, {33, 2}, {1000, 3}}) {
    SmallScoring small;
    int seen = 0;
    small.samples(images)(*small.model, [&] { ++seen; });
    EXPECT_EQ(seen, batches) << images;
  }
}

TEST(ScoreSamples, AreNoneForMethodsThatNeedNone) {
  const SmallScoring small;
  EXPECT_FALSE(score_samples(Method::magnitude, small.info, small.training, 10, 0));
}

TEST(ScoreSamples, BadInputIsRefused) {
  SmallScoring small;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { small.samples(0); }), HasSubstr("got 0"));
  small.info.classes[0] = "x";
  EXPECT_THAT(message_of<std::invalid_argument>([&] { small.samples(10); }), HasSubstr("class 0"));
}

TEST(ScoreSamples, CtrlCStopsThemAndTheNetworkIsAsItWas) {
  SmallScoring small;
  const SmallScoring untouched;
  const InterruptGuard guard;
  ::raise(SIGINT);
  EXPECT_THROW(small.samples(96)(*small.model, [] {}), Interrupted);
  EXPECT_TRUE(same_weights(*small.model, *untouched.model));
  EXPECT_FALSE(small.model->parameters()[0].variable.grad().defined());
}

}  // namespace
}  // namespace edgeprune
