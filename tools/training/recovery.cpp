#include "tools/training/recovery.h"

#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <vector>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr const char *kRecalibrate = "bn-recalibrate ", *kRewind = "rewind", *kDistill = "distill ";

/// The whole text as a number; nothing if it is none.
template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::vector<std::string> split(const std::string& text, std::string_view separator) {
  std::vector<std::string> parts;
  size_t begin = 0, end;
  while ((end = text.find(separator, begin)) != std::string::npos) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace

Distillation parse_distillation(const std::string& text) {
  const std::vector<std::string> parts = split(text, ",");
  std::optional<float> temperature, alpha;
  if (parts.size() == 2) {
    temperature = number<float>(parts[0]);
    alpha = number<float>(parts[1]);
  }
  require(temperature && alpha && std::isfinite(*temperature) && *temperature > 0 && *alpha >= 0 &&
              *alpha <= 1,
          "distill", "expected T,alpha with T above 0 and alpha in [0, 1], as 4,0.5; got '{}'",
          text);
  return {*temperature, *alpha};
}

std::string to_string(const Distillation& distillation) {
  return fmt::format("{},{}", distillation.temperature, distillation.alpha);
}

std::string Recovery::to_string() const {
  std::vector<std::string> parts;
  if (bn_recalibrate > 0) parts.push_back(kRecalibrate + std::to_string(bn_recalibrate));
  if (rewind) parts.push_back(kRewind);
  if (distillation) parts.push_back(kDistill + edgeprune::to_string(*distillation));
  return fmt::format("{}", fmt::join(parts, ", "));
}

Recovery parse_recovery(const std::string& text) {
  Recovery recovery;
  if (text.empty()) return recovery;
  for (const std::string& part : split(text, ", ")) {
    if (part == kRewind) {
      recovery.rewind = true;
    } else if (part.starts_with(kDistill)) {
      recovery.distillation = parse_distillation(part.substr(std::string_view(kDistill).size()));
    } else if (part.starts_with(kRecalibrate)) {
      const auto images = number<int64_t>(part.substr(std::string_view(kRecalibrate).size()));
      require(images && *images > 0, "recovery", "expected a number of images, got '{}'", part);
      recovery.bn_recalibrate = *images;
    } else {
      throw std::invalid_argument(fmt::format(
          "[recovery] expected 'bn-recalibrate N', 'rewind' or 'distill T,alpha', joined by ', '; "
          "got '{}'",
          part));
    }
  }
  return recovery;
}

}  // namespace edgeprune
