#include "tools/measurement/cpu_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

namespace edgeprune {
namespace {

/// Arm's MIDR_EL1 register, as Linux prints it: who made the core, and which of theirs it is.
using Core = std::pair<unsigned, unsigned>;

std::string core_name(Core core) {
  static const std::map<Core, const char*> names{
      {{0x41, 0xd03}, "Cortex-A53"},   {{0x41, 0xd04}, "Cortex-A35"},
      {{0x41, 0xd05}, "Cortex-A55"},   {{0x41, 0xd07}, "Cortex-A57"},
      {{0x41, 0xd08}, "Cortex-A72"},   {{0x41, 0xd09}, "Cortex-A73"},
      {{0x41, 0xd0a}, "Cortex-A75"},   {{0x41, 0xd0b}, "Cortex-A76"},
      {{0x41, 0xd0c}, "Neoverse-N1"},  {{0x41, 0xd0d}, "Cortex-A77"},
      {{0x41, 0xd40}, "Neoverse-V1"},  {{0x41, 0xd41}, "Cortex-A78"},
      {{0x41, 0xd42}, "Cortex-A78AE"}, {{0x41, 0xd44}, "Cortex-X1"},
      {{0x41, 0xd46}, "Cortex-A510"},  {{0x41, 0xd47}, "Cortex-A710"},
      {{0x41, 0xd48}, "Cortex-X2"},    {{0x41, 0xd49}, "Neoverse-N2"},
      {{0x41, 0xd4d}, "Cortex-A715"},  {{0x41, 0xd4e}, "Cortex-X3"},
      {{0x41, 0xd4f}, "Neoverse-V2"},  {{0x41, 0xd80}, "Cortex-A520"},
      {{0x41, 0xd81}, "Cortex-A720"},  {{0x41, 0xd82}, "Cortex-X4"},
      {{0x41, 0xd84}, "Neoverse-V3"},  {{0x41, 0xd8e}, "Neoverse-N3"},
      {{0x46, 0x001}, "A64FX"},        {{0xc0, 0xac3}, "Ampere-1"},
  };
  const auto found = names.find(core);
  return found != names.end()
             ? found->second
             : fmt::format("ARM implementer {:#04x} part {:#05x}", core.first, core.second);
}

/// A line "key : value" in two; the key in lower case.
std::pair<std::string, std::string> split(const std::string& line) {
  const size_t colon = line.find(':');
  if (colon == std::string::npos) return {};
  std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const size_t value = line.find_first_not_of(" \t", colon + 1);
  return {key, value == std::string::npos ? "" : line.substr(value)};
}

unsigned number(const std::string& text) {
  return static_cast<unsigned>(std::strtoul(text.c_str(), nullptr, 0));
}

}  // namespace

std::string cpu_name(std::istream& cpuinfo) {
  std::vector<std::string> cores;
  unsigned implementer = 0;
  for (std::string line; std::getline(cpuinfo, line);) {
    const auto [key, value] = split(line);
    if (key == "model name" && !value.empty()) return value;
    if (key == "cpu implementer") implementer = number(value);
    if (key == "cpu part") {
      std::string name = core_name({implementer, number(value)});
      if (std::find(cores.begin(), cores.end(), name) == cores.end()) {
        cores.push_back(std::move(name));
      }
    }
  }
  return cores.empty() ? "unknown CPU" : fmt::format("{}", fmt::join(cores, " + "));
}

}  // namespace edgeprune
