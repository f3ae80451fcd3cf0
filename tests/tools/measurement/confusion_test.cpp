#include "tools/measurement/confusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace edgeprune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Of 8 good ones 6 are called good, of 2 bad ones 1 is called bad; there is no odd one.
Confusion sample() {
  return Confusion({"good", "bad", "odd"}, {0, 0, 0, 0, 0, 0, 0, 0, 1, 1},
                   {0, 0, 0, 0, 0, 0, 1, 2, 1, 0});
}

TEST(Confusion, AllFiguresFollowFromTheCounts) {
  const Confusion c = sample();
  EXPECT_EQ(c.count(0, 1), 1) << "a good one called bad";
  EXPECT_EQ(c.count(1, 0), 1) << "a bad one called good";
  EXPECT_EQ(c.images(), 10);
  EXPECT_EQ(c.images_of(0), 8);
  EXPECT_EQ(c.called(0), 7);
  EXPECT_EQ(c.correct(), 7);
  EXPECT_EQ(c.accuracy(), 0.7);
  EXPECT_EQ(c.recall(0), 0.75);
  EXPECT_EQ(c.recall(1), 0.5);
  EXPECT_EQ(c.precision(0), 6.0 / 7);
  EXPECT_EQ(c.precision(1), 0.5);
  EXPECT_EQ(c.f1(0), 12.0 / 15);
  EXPECT_EQ(c.balanced_accuracy(), 0.625) << "of the two classes that have images";
  EXPECT_EQ(c.worst(), 1u);
}

TEST(Confusion, WhatCannotBeDividedHasNoValue) {
  const Confusion c = sample();
  EXPECT_FALSE(c.recall(2)) << "there is no odd image";
  EXPECT_EQ(c.precision(2), 0) << "one is called odd, wrongly";
  const Confusion none({"a", "b"}, {}, {});
  EXPECT_FALSE(none.recall(0) || none.precision(0) || none.f1(0));
  EXPECT_FALSE(none.balanced_accuracy() || none.worst());
  EXPECT_EQ(none.accuracy(), 0);
}

TEST(Confusion, Tables) {
  EXPECT_EQ(sample().class_table().render(Format::csv),
            "class,images,called so,rightly,recall %,precision %,F1 %\n"
            "good,8,7,6,75.00,85.71,80.00\n"
            "bad,2,2,1,50.00,50.00,50.00\n"
            "odd,0,1,0,,0.00,0.00\n");
  EXPECT_EQ(sample().matrix_table().render(Format::csv),
            "class,called good,called bad,called odd\n"
            "good,6,1,1\nbad,1,1,0\nodd,0,0,0\n");
  EXPECT_THAT(sample().class_table().render(Format::json), HasSubstr("\"recall_percent\":null"));
}

TEST(Confusion, WrongIndicesAreRejected) {
  EXPECT_THROW(Confusion({"a"}, {0}, {}), std::invalid_argument);
  EXPECT_THROW(Confusion({"a"}, {1}, {0}), std::invalid_argument);
  EXPECT_THROW(Confusion({"a"}, {0}, {-1}), std::invalid_argument);
}

TEST(PredictedClasses, LargestLogitOrThreshold) {
  Tensor logits({3, 2}, 0.0f);  // probabilities of class 1: 0.5, 0.2, 0.8
  logits.data()[3] = std::log(0.25f);
  logits.data()[5] = std::log(4.0f);
  EXPECT_THAT(predicted_classes(logits), ElementsAre(0, 0, 1)) << "a tie goes to the first";
  EXPECT_THAT(predicted_classes(logits, Threshold{1, 0.5}), ElementsAre(1, 0, 1));
  EXPECT_THAT(predicted_classes(logits, Threshold{1, 0.15}), ElementsAre(1, 1, 1));
  EXPECT_THAT(predicted_classes(logits, Threshold{1, 0.85}), ElementsAre(0, 0, 0));
  EXPECT_THAT(predicted_classes(logits, Threshold{0, 0.7}), ElementsAre(1, 0, 1));
  EXPECT_THROW(predicted_classes(logits, Threshold{2, 0.5}), std::invalid_argument);
  EXPECT_THROW(predicted_classes(logits, Threshold{1, 1.5}), std::invalid_argument);
  EXPECT_THROW(predicted_classes(logits, Threshold{1, std::nan("")}), std::invalid_argument);
  EXPECT_THROW(predicted_classes(Tensor({1, 3}, 0.0f), Threshold{}), std::invalid_argument);
  EXPECT_THROW(predicted_classes({}), std::invalid_argument);
}

TEST(Softmax, LargeLogitsDoNotOverflow) {
  const std::vector<float> logits{1000, 1000, -1000};
  EXPECT_THAT(softmax(logits), ElementsAre(0.5, 0.5, 0));
}

}  // namespace
}  // namespace edgeprune
