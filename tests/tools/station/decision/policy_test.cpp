#include "tools/station/decision/policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "engine/base/digest.h"

namespace edgeprune::station {
namespace {

Policy two_defects() {
  return {.temperature = 2,
          .classes = {{.name = "ok", .good = true},
                      {.name = "scratched", .clear_below = 0.1f, .reject_from = 0.8f},
                      {.name = "bent", .clear_below = 0.2f, .reject_from = kNeverReject}}};
}

/// Logits of which probabilities() at temperature 2 makes these.
std::vector<float> logits_of(std::vector<float> probabilities) {
  for (float& p : probabilities) p = 2 * std::log(p);
  return probabilities;
}

Decision decide_on(std::vector<float> probabilities) {
  return decide(logits_of(std::move(probabilities)), two_defects());
}

std::string refusal(const std::string& text) {
  try {
    parse_policy(text, "policy.json");
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Probabilities, AreSoftmaxOfLogitsOverTemperature) {
  const std::vector<float> logits = {1, 3};
  const auto one = probabilities(logits, 1), two = probabilities(logits, 2);
  EXPECT_FLOAT_EQ(one[1], 1 / (1 + std::exp(-2.0f)));
  EXPECT_FLOAT_EQ(two[1], 1 / (1 + std::exp(-1.0f)));
  const auto large = probabilities(std::vector<float>{3e38f, -3e38f}, 0.01f);
  EXPECT_EQ(large, (std::vector<float>{1, 0}));
}

TEST(Decide, PassesOnlyWhatIsClearOfEveryDefect) {
  EXPECT_EQ(decide_on({0.9f, 0.05f, 0.05f}).verdict, Verdict::ok);
  EXPECT_EQ(decide_on({0.85f, 0.12f, 0.03f}).verdict, Verdict::review) << "scratched reaches 0.1";
  EXPECT_EQ(decide_on({0.75f, 0.02f, 0.23f}).verdict, Verdict::review) << "bent reaches 0.2";
  const Decision ok = decide_on({0.9f, 0.05f, 0.05f});
  EXPECT_EQ(ok.reason, Reason::confident);
  EXPECT_EQ(ok.label, 0);
  EXPECT_NEAR(ok.confidence, 0.9f, 1e-6);
}

TEST(Decide, RejectsFromTheThresholdOnAndReviewsBelow) {
  const Decision rejected = decide_on({0.1f, 0.85f, 0.05f});
  EXPECT_EQ(rejected.verdict, Verdict::reject);
  EXPECT_EQ(rejected.reason, Reason::confident);
  EXPECT_EQ(rejected.label, 1);
  const Decision unsure = decide_on({0.2f, 0.75f, 0.05f});
  EXPECT_EQ(unsure.verdict, Verdict::review);
  EXPECT_EQ(unsure.reason, Reason::unsure);
  EXPECT_EQ(decide(std::vector<float>{-500, -500, 500}, two_defects()).verdict, Verdict::review)
      << "bent is never rejected, not even at a probability of 1";
}

TEST(Decide, AThresholdItselfDoesNotPassButRejects) {
  Policy policy{.classes = {{.name = "ok", .good = true},
                            {.name = "bad", .clear_below = 0.5f, .reject_from = 0.5f}}};
  const std::vector<float> equal = {1, 1};
  EXPECT_EQ(decide(equal, policy).verdict, Verdict::reject);
  policy.classes[1].reject_from = 0.6f;
  EXPECT_EQ(decide(equal, policy).verdict, Verdict::review);
}

TEST(Decide, TheLikeliestClassMustBeGood) {
  Policy policy{.classes = {{.name = "ok", .good = true},
                            {.name = "bad", .clear_below = 1, .reject_from = 1}}};
  EXPECT_EQ(decide(std::vector<float>{0, 1}, policy).verdict, Verdict::review);
  EXPECT_EQ(decide(std::vector<float>{1, 0}, policy).verdict, Verdict::ok);
}

TEST(Decide, ReviewsScoresThatAreNotFinite) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    const Decision decision = decide(std::vector<float>{100, bad, 0}, two_defects());
    EXPECT_EQ(decision.verdict, Verdict::review);
    EXPECT_EQ(decision.reason, Reason::fault);
    EXPECT_EQ(decision.label, -1);
  }
  EXPECT_THROW(decide(std::vector<float>{1, 2}, two_defects()), std::invalid_argument);
}

TEST(PolicyText, ComesBackAndIsHashed) {
  const std::string text = policy_text(two_defects());
  const Policy read = parse_policy(text, "policy.json");
  EXPECT_EQ(policy_text(read), text);
  EXPECT_EQ(read.classes[1].clear_below, 0.1f);
  EXPECT_EQ(read.classes[2].reject_from, kNeverReject);
  EXPECT_NE(text.find("\"clear_below\": 0.1,"), std::string::npos) << text;
  Digest digest;
  digest.add(text.data(), text.size());
  EXPECT_EQ(read.hash, digest.hex().substr(0, 16));
}

TEST(PolicyText, IsRefusedIfAnythingIsNotUnderstood) {
  const std::string text = policy_text(two_defects());
  EXPECT_EQ(refusal(text), "");
  const auto after = [&](const std::string& from, const std::string& to) {
    return refusal(with(text, from, to));
  };
  EXPECT_EQ(after("policy/1", "policy/2"),
            "policy.json: format: expected edgeprune-policy/1, got edgeprune-policy/2");
  EXPECT_EQ(after("\"temperature\": 2.0", "\"temperature\": 0"),
            "policy.json: temperature: expected a number from 0.001 to 1000, got 0");
  EXPECT_NE(after("temperature", "temprature").find("temperature: is missing"), std::string::npos);
  EXPECT_NE(after("\"good\": true", "\"good\": true, \"clear_below\": 0.5")
                .find("classes[0].clear_below: unknown key"),
            std::string::npos);
  EXPECT_NE(after("\"clear_below\": 0.1,", "").find("classes[1].clear_below: is missing"),
            std::string::npos);
  EXPECT_NE(after("\"clear_below\": 0.1", "\"clear_below\": 0.9")
                .find("expected clear_below (0.9) or more, got 0.8"),
            std::string::npos);
  EXPECT_NE(after("\"reject_from\": 0.8", "\"reject_from\": 2.1")
                .find("classes[1].reject_from: expected a number"),
            std::string::npos);
  EXPECT_NE(after("scratched", "bent").find("bent is there twice"), std::string::npos);
  EXPECT_NE(after("\"good\": true", "\"good\": false, \"clear_below\": 0, \"reject_from\": 1")
                .find("got 0 good of 3"),
            std::string::npos);
  EXPECT_NE(refusal(text.substr(0, text.size() / 2)), "");
}

TEST(PolicyClasses, AreTheModels) {
  const Policy policy = two_defects();
  EXPECT_NO_THROW(
      require_same_classes(policy, std::vector<std::string>{"ok", "scratched", "bent"}));
  const auto difference = [&](std::vector<std::string> classes) -> std::string {
    try {
      require_same_classes(policy, classes);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(difference({"ok", "bent", "scratched"}),
            "[policy] class 1 is 'bent' in the model, 'scratched' in the policy");
  EXPECT_EQ(difference({"ok"}), "[policy] the model has 1 classes, the policy 3");
}

}  // namespace
}  // namespace edgeprune::station
