#include "tools/station/deployment/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/sample_judge.h"

namespace edgeprune::station {
namespace {

using edgeprune::testing::judge_that_says;
using ::testing::HasSubstr;

const Image kImage{32, 32, std::vector<uint8_t>(3 * 32 * 32, 9)};

/// The line: items are judged by whoever is active.
struct Line {
  explicit Line(std::shared_ptr<Judge> first)
      : active(first), deployment(first, {20, 30, 0.1, 0.1}) {}

  /// One item; `reason` overrules that of its judgement.
  void item(std::optional<Reason> reason = {}) {
    Record record;
    record.model = active->model();
    record.decision = (*active)(kImage).decision;
    if (reason) record.decision = {Verdict::review, *reason, -1, 0};
    const auto step = deployment.look(record, &kImage);
    if (step.activate) active = step.activate;
    if (!step.what.empty()) said.push_back(step.what);
    ++items;
  }

  std::shared_ptr<Judge> active;
  Deployment deployment;
  std::vector<std::string> said;
  int items = 0;
};

TEST(Deployment, AGoodModelGoesThroughShadowAndWatchToActive) {
  const auto before = judge_that_says(5, 0, "before"), after = judge_that_says(4, 0, "after");
  Line line(before);
  for (int i = 0; i < 10; ++i) line.item();
  EXPECT_EQ(line.deployment.phase(), Phase::settled);
  line.deployment.propose(after);
  for (int i = 0; i < 19; ++i) line.item();
  EXPECT_EQ(line.active, before);
  EXPECT_EQ(line.deployment.phase(), Phase::shadow);
  line.item();
  EXPECT_EQ(line.active, after);
  EXPECT_EQ(line.deployment.phase(), Phase::watched);
  for (int i = 0; i < 30; ++i) line.item();
  EXPECT_EQ(line.deployment.phase(), Phase::settled);
  EXPECT_EQ(line.active, after);
  ASSERT_EQ(line.said.size(), 2u);
  EXPECT_THAT(line.said[0], HasSubstr("model after"));
  EXPECT_THAT(line.said[0], HasSubstr("active, watched: 0 of 20 verdicts differ"));
  EXPECT_THAT(line.said[1], HasSubstr("stays"));
}

TEST(Deployment, OneThatDisagreesOrHasNoScoresNeverDecides) {
  for (const float good : {-5.0f, std::nanf("")}) {
    const auto before = judge_that_says(5, 0, "before");
    Line line(before);
    line.deployment.propose(judge_that_says(good, 0, "after"));
    for (int i = 0; i < 50; ++i) line.item();
    EXPECT_EQ(line.active, before);
    ASSERT_EQ(line.said.size(), 1u);
    EXPECT_THAT(line.said[0], HasSubstr("refused in shadow"));
    line.deployment.propose(
        judge_that_says(5, 0, "better"));  // and does not stand in the way of the next one
    for (int i = 0; i < 50; ++i) line.item();
    EXPECT_THAT(line.active->model(), HasSubstr("better"));
  }
}

TEST(Deployment, OneThatMisbehavesWhenItDecidesGoesBackWithinTheWatch) {
  for (const Reason reason : {Reason::late, Reason::fault}) {
    const auto before = judge_that_says(5, 0, "before"), after = judge_that_says(5, 0, "after");
    Line line(before);
    line.deployment.propose(after);
    for (int i = 0; i < 20; ++i) line.item();
    ASSERT_EQ(line.active, after);
    line.items = 0;
    while (line.active == after && line.items < 100) line.item(reason);
    EXPECT_EQ(line.active, before);
    EXPECT_LE(line.items, 30);
    EXPECT_THAT(line.said.back(), HasSubstr("rolled back to before"));
    EXPECT_EQ(line.deployment.phase(), Phase::settled);
  }
}

TEST(Deployment, ItemsOfTheModelBeforeSayNothing) {
  const auto before = judge_that_says(5, 0, "before"), after = judge_that_says(5, 0, "after");
  Line line(before);
  line.deployment.propose(after);
  for (int i = 0; i < 20; ++i) line.item();
  line.active = before;  // items that were in the queue when the models changed
  for (int i = 0; i < 10; ++i) line.item(Reason::fault);
  EXPECT_EQ(line.deployment.phase(), Phase::watched);
  EXPECT_EQ(line.deployment.items(), 0);
}

}  // namespace
}  // namespace edgeprune::station
