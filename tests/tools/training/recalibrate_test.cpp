#include "tools/training/recalibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/preprocess.h"
#include "engine/ops/conv2d.h"
#include "pruning/compact.h"
#include "tests/support/message_of.h"
#include "tests/support/small_run.h"
#include "tests/support/tensors.h"
#include "tools/measurement/evaluate.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::SmallRun;

void recalibrate(SmallRun& run, int64_t images, uint64_t seed = 1) {
  recalibrate_batch_norm(run.model, run.info, run.training, images, seed);
}

TEST(Recalibrate, TheFirstLayersStatisticsAreThoseOfAllImagesTogether) {
  SmallRun run(200);  // batches of 128 and 72
  recalibrate(run, 200);
  const auto& conv = *run.model.convolutions()[0];
  const auto& norm = *run.model.norms()[0];
  const int64_t channels = conv.shape.out_channels;
  std::vector<double> sum(size_t(channels), 0.0), squares(sum);
  double count = 0;
  Preprocessor preprocess(32, imagenet_normalisation());
  const NoGrad no_grad;
  for (const Image& image : run.training.images) {
    Tensor input({1, 32, 32, 3});
    preprocess(image, input.values());
    const Tensor output = conv.forward(Variable(input)).value();
    for (int64_t i = 0; i < output.count(); ++i) {
      const double value = output.data()[i];
      sum[size_t(i % channels)] += value;
      squares[size_t(i % channels)] += value * value;
    }
    count += double(output.count() / channels);
  }
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = sum[size_t(c)] / count;
    const double variance = (squares[size_t(c)] - count * mean * mean) / (count - 1);
    EXPECT_NEAR(norm.state.running_mean.data()[c], mean, 1e-4) << c;
    EXPECT_NEAR(norm.state.running_var.data()[c], variance, 1e-4 * (1 + variance)) << c;
  }
}

TEST(Recalibrate, StatisticsOfBeforeDoNotMatter) {
  SmallRun fresh, foreign;
  for (const auto& norm : foreign.model.norms()) {
    norm->state.running_mean.fill(7);
    norm->state.running_var.fill(0.1f);
  }
  recalibrate(fresh, 64);
  recalibrate(foreign, 64);
  for (size_t i = 0; i < fresh.model.norms().size(); ++i) {
    const auto& a = fresh.model.norms()[i]->state;
    const auto& b = foreign.model.norms()[i]->state;
    EXPECT_TRUE(testing::identical(a.running_mean, b.running_mean)) << i;
    EXPECT_TRUE(testing::identical(a.running_var, b.running_var)) << i;
  }
}

TEST(Recalibrate, WeightsModeAndMomentumStay) {
  SmallRun run;
  const SmallRun untouched;
  run.model.train(false);
  recalibrate(run, 64);
  EXPECT_FALSE(run.model.training());
  const auto before = untouched.model.parameters(), after = run.model.parameters();
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(testing::identical(after[i].variable.value(), before[i].variable.value()))
        << after[i].name;
  }
  EXPECT_EQ(run.model.norms()[3]->state.momentum, 0.1f);
  EXPECT_FALSE(same_weights(run.model, untouched.model)) << "the statistics";
}

TEST(Recalibrate, SameSeedSameResultBitForBit) {
  SmallRun first, second, other;
  recalibrate(first, 50, 1);
  recalibrate(second, 50, 1);
  recalibrate(other, 50, 2);
  EXPECT_TRUE(same_weights(first.model, second.model));
  EXPECT_FALSE(same_weights(first.model, other.model));
}

TEST(Recalibrate, MoreImagesThanThereAreMeanAll) {
  SmallRun all, more;
  recalibrate(all, 96);
  recalibrate(more, 1000);
  EXPECT_TRUE(same_weights(all.model, more.model));
}

TEST(Recalibrate, ALastBatchOfOneImageIsAvoided) {
  for (const int64_t images : {2, 129, 257}) {
    SmallRun run(images);
    EXPECT_NO_THROW(recalibrate(run, images)) << images;
  }
}

TEST(Recalibrate, PrunedChannelsStayExactlyZeroAtTheOutput) {
  SmallRun run;
  const ChannelPlan plan = plan_smallest_channels(run.model, 0.3);
  apply_masks(group_masks(run.model, plan), run.model);
  recalibrate(run, 64);
  // If they were anything else there, the network without them would say something else.
  const auto small = compact(run.model, plan);
  const Evaluation masked = evaluate(run.model, run.info, run.training, inference::Engine::dense);
  const Evaluation removed = evaluate(*small, run.info, run.training, inference::Engine::dense);
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < masked.logits.count(); ++i) {
    const double a = masked.logits.data()[i], b = removed.logits.data()[i];
    difference = std::max(difference, std::abs(a - b));
    largest = std::max(largest, std::abs(a));
  }
  EXPECT_LT(difference, 1e-5 * (1 + largest));

  run.model.train(false);
  const NoGrad no_grad;
  Tensor image({1, 32, 32, 3}, 0.5f);
  const Variable output =
      run.model.norms()[0]->forward(run.model.convolutions()[0]->forward(Variable(image)));
  const Tensor& gamma = run.model.norms()[0]->weight.value();
  int64_t zeroed = 0;
  for (int64_t i = 0; i < output.value().count(); ++i) {
    if (gamma.data()[i % gamma.count()] != 0) continue;
    ASSERT_EQ(output.value().data()[i], 0.0f);
    ++zeroed;
  }
  EXPECT_GT(zeroed, 0);
}

TEST(Recalibrate, HelpsANetworkWhoseWeightsWereChanged) {
  SmallRun run(600);
  run.options.epochs = 6;
  run.options.learning_rate = 1e-2f;
  run.train();
  apply_masks(make_masks(run.model, Method::magnitude, 0.6), run.model);
  const Dataset test = synthetic(200, Split::test, 0);
  const auto loss = [&] {
    return evaluate(run.model, run.info, test, inference::Engine::dense).loss;
  };
  const double before = loss();
  recalibrate(run, 300);
  EXPECT_LT(loss(), before);
}

TEST(Recalibrate, WhatCannotBeLeavesTheModelAlone) {
  SmallRun run;
  const SmallRun untouched;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { recalibrate(run, 1); }),
              HasSubstr("at least 2 images, got 1"));
  run.info.classes[0] = "another";
  EXPECT_THAT(message_of<std::invalid_argument>([&] { recalibrate(run, 64); }),
              HasSubstr("class 0"));
  run.info.classes = run.training.classes;
  {
    const InterruptGuard guard;
    ::raise(SIGINT);
    EXPECT_THROW(recalibrate(run, 64), Interrupted);
  }
  EXPECT_TRUE(same_weights(run.model, untouched.model));
  run.model.convolutions()[2]->weight.value().data()[0] = NAN;
  const auto statistics = run.model.norms()[0]->state.running_mean.clone();
  EXPECT_THAT(message_of<std::runtime_error>([&] { recalibrate(run, 64); }),
              HasSubstr("the statistics of features.1.conv.2 are not finite"));
  EXPECT_TRUE(testing::identical(run.model.norms()[0]->state.running_mean, statistics));
}

}  // namespace
}  // namespace edgeprune
