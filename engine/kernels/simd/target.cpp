#include "engine/kernels/simd/target.h"

#include <fmt/ranges.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "engine/base/check.h"

namespace edgeprune::simd {
namespace {

std::string name_of(int64_t target) {
#if HWY_ARCH_X86
  if (target == HWY_AVX3) return "avx512";
#endif
  if (target == HWY_EMU128 || target == HWY_SCALAR) return "portable";
  std::string name = hwy::TargetName(target);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return name;
}

void use(int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

std::vector<std::string> compiled_targets() {
  std::vector<std::string> names;  // a target is a bit: the lower, the better
  for (int64_t left = HWY_TARGETS; left != 0; left &= left - 1) {
    names.push_back(name_of(left & -left));
  }
  return names;
}

std::vector<std::string> available_targets() {
  const std::string current = current_target();
  use(0);
  std::vector<std::string> names;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) names.push_back(name_of(target));
  pin_target(current == names.front() ? "" : current);
  return names;
}

std::string current_target() {
  return name_of(hwy::SupportedAndGeneratedTargets().front());
}

void pin_target(const std::string& name) {
  use(0);
  if (name.empty()) return;
  std::vector<std::string> names;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    names.push_back(name_of(target));
    if (names.back() == name) {
      use(target);
      return;
    }
  }
  require(false, "EDGEPRUNE_SIMD", "this CPU and build have no target '{}'; there are: {}", name,
          fmt::join(names, ", "));
}

void pin_target_from_environment() {
  if (const char* name = std::getenv("EDGEPRUNE_SIMD")) pin_target(name);
}

}  // namespace edgeprune::simd
