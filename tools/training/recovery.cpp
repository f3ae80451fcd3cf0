#include "tools/training/recovery.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

/// The whole text as a number; nothing if it is none.
std::optional<float> number(std::string_view text) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace

Distillation parse_distillation(const std::string& text) {
  const size_t comma = std::min(text.find(','), text.size());
  const std::string_view all = text;
  const auto temperature = number(all.substr(0, comma));
  const auto alpha = number(all.substr(std::min(comma + 1, all.size())));
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
  if (bn_recalibrate > 0) parts.push_back("bn-recalibrate " + std::to_string(bn_recalibrate));
  if (rewind) parts.push_back("rewind");
  if (distillation) parts.push_back("distill " + edgeprune::to_string(*distillation));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace edgeprune
