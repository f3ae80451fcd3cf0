#include "engine/base/names.h"

#include "engine/base/check.h"

namespace edgeprune {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

void refuse_name(const char* what, const std::vector<std::string>& names, std::string_view name) {
  throw std::invalid_argument(fmt::format("[{}] expected {}, got '{}'", what, listed(names), name));
}

}  // namespace edgeprune
