#pragma once
// From a network's scores to a verdict: calibrated probabilities against thresholds that were chosen on
// held-out images for a wanted recall of defects.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/station/item.h"

namespace edgeprune::station {

/// A `reject_from` that no probability reaches.
inline constexpr float kNeverReject = 2;

/// What makes a class's probability decide.
struct ClassRule {
  std::string name;   ///< as the model calls it
  bool good = false;  ///< items of this class are to pass
  float clear_below =
      0;  ///< defects: an item passes only while this class's probability is below it
  float reject_from =
      1;  ///< defects: from this probability on the item is rejected; between: review; above 1: never
};

struct Policy {
  float temperature =
      1;  ///< logits are divided by it (Guo et al. 2017, "On Calibration of Modern Neural Networks")
  std::vector<ClassRule> classes;  ///< in the model's order, at least one good and one not
  std::string hash = {};           ///< the first 16 hex digits of the SHA-256 of its text
};

/// softmax(logits / temperature) [classes].
std::vector<float> probabilities(std::span<const float> logits, float temperature);

/// The verdict on one item. An item passes only if every defect's probability is below its
/// `clear_below` and the likeliest class is good; it is rejected if any defect reaches its `reject_from`;
/// review otherwise, with Reason::unsure. Logits that are not finite: review, Reason::fault. Throws
/// std::invalid_argument if there is not one logit a class.
Decision decide(std::span<const float> logits, const Policy& policy);

/// Reads what policy_text() wrote; throws FileError("source: ...") on unknown or missing keys, numbers
/// out of their range, no good or no defective class. `source` names the text in messages.
Policy parse_policy(std::string_view text, const std::string& source);
std::string policy_text(const Policy& policy);

/// Throws std::invalid_argument, naming the first difference, unless the model's classes are the policy's.
void require_same_classes(const Policy& policy, std::span<const std::string> classes);

}  // namespace edgeprune::station
