#include "tools/station/decision/policy.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune::station {

std::vector<float> probabilities(std::span<const float> logits, float temperature) {
  const float most = *std::max_element(logits.begin(), logits.end());
  std::vector<float> p;
  float sum = 0;
  for (const float logit : logits)
    p.push_back(std::exp((logit - most) / temperature)), sum += p.back();
  for (float& x : p) x /= sum;
  return p;
}

Decision decide(std::span<const float> logits, const Policy& policy) {
  require(logits.size() == policy.classes.size(), "policy", "x");
  for (const float l : logits)
    if (!std::isfinite(l)) return {Verdict::review, Reason::fault, -1, 0};
  const auto p = probabilities(logits, policy.temperature);
  const auto label = std::max_element(p.begin(), p.end()) - p.begin();
  Decision d{Verdict::review, Reason::unsure, int(label), p[size_t(label)]};
  bool clear = policy.classes[size_t(label)].good, reject = false;
  for (size_t c = 0; c < p.size(); ++c) {
    if (policy.classes[c].good) continue;
    clear = clear && p[c] < policy.classes[c].clear_below;
    reject = reject || p[c] >= policy.classes[c].reject_from;
  }
  if (reject)
    d.verdict = Verdict::reject, d.reason = Reason::confident;
  else if (clear)
    d.verdict = Verdict::ok, d.reason = Reason::confident;
  return d;
}
Policy parse_policy(std::string_view, const std::string&) {
  return {};
}
std::string policy_text(const Policy&) {
  return "";
}
void require_same_classes(const Policy& policy, std::span<const std::string> classes) {
  require(policy.classes.size() == classes.size(), "policy", "x");
}
}  // namespace edgeprune::station
