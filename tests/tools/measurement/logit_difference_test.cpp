#include "tools/measurement/logit_difference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/synthetic.h"
#include "engine/base/check.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "tests/support/message_of.h"
#include "tests/support/small_run.h"

namespace edgeprune {
namespace {

using testing::message_of;
using testing::SmallRun;

TEST(LogitDifference, IsZeroBetweenAModelAndItself) {
  SmallRun run(64);
  run.train();
  const LogitDifference difference =
      compare_logits(run.model, run.model, run.info, run.training, 20);
  EXPECT_EQ(difference.largest, 0.0);
  EXPECT_EQ(difference.labels_changed, 0);
  EXPECT_EQ(difference.images, 64);
  EXPECT_GT(difference.largest_logit, 0.0);
  EXPECT_TRUE(difference.is_rounding());
}

TEST(LogitDifference, IsTheLargestOverImagesAndClasses) {
  SmallRun run(64), other(64);
  run.train();
  other.model.load_state_dict(run.model.state_dict());
  other.model.head().bias.value().data()[3] += 0.25f;
  other.model.head().bias.value().data()[7] -= 100.0f;
  LogitDifference difference = compare_logits(run.model, other.model, run.info, run.training, 20);
  EXPECT_NEAR(difference.largest, 100.0, 1e-3);
  EXPECT_FALSE(difference.is_rounding());
  other.model.head().bias.value().data()[7] += 200.0f;  // now every image is of class 7
  difference = compare_logits(run.model, other.model, run.info, run.training, 20);
  const LogitDifference back = compare_logits(other.model, run.model, run.info, run.training, 20);
  EXPECT_EQ(difference.labels_changed, back.labels_changed);
  EXPECT_GT(difference.labels_changed, 0);
  EXPECT_GT(back.largest_logit, 90.0);
}

TEST(LogitDifference, ChangedLabelsOfNearbyLogitsAreTies) {
  const Tensor before({3, 2}, std::vector<float>{1.0f, 1.00001f, 0.0f, 1.0f, 0.0f, 0.5f});
  const Tensor after({3, 2}, std::vector<float>{1.00002f, 1.0f, 0.6f, 0.5f, 0.0f, 0.5f});
  const LogitDifference difference = compare_logits(before, after);
  EXPECT_EQ(difference.images, 3);
  EXPECT_EQ(difference.labels_changed, 2);
  EXPECT_EQ(difference.ties, 1);
  EXPECT_NEAR(difference.largest, 0.6, 1e-6);
  EXPECT_THROW(compare_logits(before, Tensor({2, 2})), std::invalid_argument);
}

TEST(LogitDifference, OfLogitsThatAreNotFiniteIsNoRounding) {
  for (const int64_t position : {0, 9}) {
    SmallRun run(32), broken(32);
    broken.model.head().bias.value().data()[position] = NAN;
    for (const auto& [a, b] : {std::pair{&run, &broken}, std::pair{&broken, &broken}}) {
      const LogitDifference difference =
          compare_logits(a->model, b->model, run.info, run.training, 32);
      EXPECT_TRUE(std::isnan(difference.largest));
      EXPECT_FALSE(difference.is_rounding());
      EXPECT_EQ(difference.images, 32);
    }
  }
}

TEST(LogitDifference, RoundingGrowsWithTheLogits) {
  EXPECT_TRUE((LogitDifference{.largest = 1e-4, .largest_logit = 0.1}.is_rounding()));
  EXPECT_FALSE((LogitDifference{.largest = 1.1e-4, .largest_logit = 0.1}.is_rounding()));
  EXPECT_TRUE((LogitDifference{.largest = 9e-4, .largest_logit = 10}.is_rounding()));
  EXPECT_FALSE((LogitDifference{.largest = 1.1e-3, .largest_logit = 10}.is_rounding()));
}

TEST(LogitDifference, ModelsForOtherImagesOrClassesAreRejected) {
  const SmallRun run(32);
  for (const auto& graph : {mobilenet_v2(0.25, 64, 10), mobilenet_v2(0.25, 32, 11)}) {
    const nn::Network other(graph, 0);
    EXPECT_NE(message_of<std::invalid_argument>([&] {
                compare_logits(run.model, other, run.info, run.training);
              }).find("[compare_logits] the models have 10 and"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace edgeprune
