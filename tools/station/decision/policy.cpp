#include "tools/station/decision/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/printable.h"
#include "engine/base/strict_json.h"

namespace edgeprune::station {
namespace {

constexpr const char* kPolicyFormat = "edgeprune-policy/1";
constexpr double kLeastTemperature = 1e-3, kMostTemperature = 1e3;
constexpr size_t kHashDigits = 16;

/// The shortest decimal that reads as the same float: 0.1, not 0.10000000149011612.
double shortest(float value) {
  return std::stod(fmt::format("{}", value));
}

float required_number(StrictObject& json, const char* key, double least, double most) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  json.require_key(key);
  double value = 0;
  json.get(key, value, -kAny, kAny);
  if (value < least || value > most) {
    json.fail(key, fmt::format("expected a number from {} to {}, got {}", least, most, value));
  }
  return static_cast<float>(value);
}

ClassRule parse_rule(StrictObject json) {
  ClassRule rule;
  json.require_key("name");
  json.get("name", rule.name);
  json.require_key("good");
  json.get("good", rule.good);
  if (!rule.good) {  // those of good classes decide nothing and are refused as unknown
    rule.clear_below = required_number(json, "clear_below", 0, 1);
    rule.reject_from = required_number(json, "reject_from", 0, kNeverReject);
    if (rule.reject_from < rule.clear_below) {
      json.fail("reject_from", fmt::format("expected clear_below ({}) or more, got {}",
                                           rule.clear_below, rule.reject_from));
    }
  }
  json.finish();
  return rule;
}

std::string hash_of(std::string_view text) {
  Digest digest;
  digest.add(text.data(), text.size());
  return digest.hex().substr(0, kHashDigits);
}

}  // namespace

std::vector<float> probabilities(std::span<const float> logits, float temperature) {
  const double most = logits.empty() ? 0 : *std::max_element(logits.begin(), logits.end());
  std::vector<double> powers;
  double sum = 0;
  for (const float logit : logits) {
    powers.push_back(std::exp((logit - most) / temperature));
    sum += powers.back();
  }
  std::vector<float> shares;
  for (const double power : powers) shares.push_back(static_cast<float>(power / sum));
  return shares;
}

Decision decide(std::span<const float> logits, const Policy& policy) {
  require(logits.size() == policy.classes.size(), "decide",
          "expected a logit for each of {} classes, got {}", policy.classes.size(), logits.size());
  if (!std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); })) {
    return {.verdict = Verdict::review, .reason = Reason::fault};
  }
  const std::vector<float> all = probabilities(logits, policy.temperature);
  const auto likeliest = static_cast<size_t>(std::ranges::max_element(all) - all.begin());
  bool clear = policy.classes[likeliest].good, reject = false;
  for (size_t c = 0; c < all.size(); ++c) {
    const ClassRule& rule = policy.classes[c];
    if (rule.good) continue;
    clear = clear && all[c] < rule.clear_below;
    reject = reject || all[c] >= rule.reject_from;
  }
  // A policy made by hand may let a probability do both: then it does not pass.
  const Verdict verdict = reject ? Verdict::reject : clear ? Verdict::ok : Verdict::review;
  return {.verdict = verdict,
          .reason = verdict == Verdict::review ? Reason::unsure : Reason::confident,
          .label = static_cast<int>(likeliest),
          .confidence = all[likeliest]};
}

Policy parse_policy(std::string_view text, const std::string& source) {
  StrictObject json(parse_json(text, source), source);
  Policy policy;
  std::string format;
  json.require_key("format");
  json.get("format", format);
  if (format != kPolicyFormat) {
    json.fail("format", fmt::format("expected {}, got {}", kPolicyFormat, printable(format)));
  }
  policy.temperature = required_number(json, "temperature", kLeastTemperature, kMostTemperature);
  json.require_key("classes");
  std::set<std::string> names;
  for (StrictObject& one : json.list("classes")) {
    policy.classes.push_back(parse_rule(one));
    const std::string& name = policy.classes.back().name;
    if (!names.insert(name).second) one.fail("name", printable(name) + " is there twice");
  }
  json.finish();
  const auto good = std::ranges::count_if(policy.classes, &ClassRule::good);
  if (good == 0 || good == std::ssize(policy.classes)) {
    json.fail(
        "classes",
        fmt::format("expected one at least that is good and one that is not, got {} good of {}",
                    good, policy.classes.size()));
  }
  policy.hash = hash_of(text);
  return policy;
}

std::string policy_text(const Policy& policy) {
  nlohmann::ordered_json classes = nlohmann::ordered_json::array();
  for (const ClassRule& rule : policy.classes) {
    nlohmann::ordered_json one = {{"name", rule.name}, {"good", rule.good}};
    if (!rule.good) {
      one["clear_below"] = shortest(rule.clear_below);
      one["reject_from"] = shortest(rule.reject_from);
    }
    classes.push_back(std::move(one));
  }
  const nlohmann::ordered_json json = {{"format", kPolicyFormat},
                                       {"temperature", shortest(policy.temperature)},
                                       {"classes", std::move(classes)}};
  return json_text(json, 2) + "\n";
}

void require_same_classes(const Policy& policy, std::span<const std::string> classes) {
  require(policy.classes.size() == classes.size(), "policy",
          "the model has {} classes, the policy {}", classes.size(), policy.classes.size());
  for (size_t c = 0; c < classes.size(); ++c) {
    require(policy.classes[c].name == classes[c], "policy",
            "class {} is '{}' in the model, '{}' in the policy", c, printable(classes[c]),
            printable(policy.classes[c].name));
  }
}

}  // namespace edgeprune::station
