#include "tools/station/deployment/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/mobilenet_v2.h"

namespace edgeprune::station {
namespace {

using ::testing::HasSubstr;

/// A network of the classes good and bad whose scores no image moves, as all its weights are zero.
std::shared_ptr<Judge> judge_that_says(float good, const std::string& name) {
  Checkpoint checkpoint;
  checkpoint.model = std::make_unique<nn::Network>(mobilenet_v2(0.25, 32, 2));
  checkpoint.model->head().bias.value().data()[0] = good;
  checkpoint.model->head().bias.value().data()[1] = 0;
  checkpoint.info.classes = {"good", "bad"};
  checkpoint.sha256 = name + std::string(64, '0');
  Policy policy;
  policy.classes = {{"good", true, 0, 1}, {"bad", false, 0.2f, 0.8f}};
  return std::make_shared<Judge>(checkpoint, policy, inference::Engine::dense, 1);
}

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
  const auto before = judge_that_says(5, "before"), after = judge_that_says(4, "after");
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
    const auto before = judge_that_says(5, "before");
    Line line(before);
    line.deployment.propose(judge_that_says(good, "after"));
    for (int i = 0; i < 50; ++i) line.item();
    EXPECT_EQ(line.active, before);
    ASSERT_EQ(line.said.size(), 1u);
    EXPECT_THAT(line.said[0], HasSubstr("refused in shadow"));
    line.deployment.propose(
        judge_that_says(5, "better"));  // and does not stand in the way of the next one
    for (int i = 0; i < 50; ++i) line.item();
    EXPECT_THAT(line.active->model(), HasSubstr("better"));
  }
}

TEST(Deployment, OneThatMisbehavesWhenItDecidesGoesBackWithinTheWatch) {
  for (const Reason reason : {Reason::late, Reason::fault}) {
    const auto before = judge_that_says(5, "before"), after = judge_that_says(5, "after");
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
  const auto before = judge_that_says(5, "before"), after = judge_that_says(5, "after");
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
