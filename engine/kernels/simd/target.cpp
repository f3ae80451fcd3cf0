#include "engine/kernels/simd/target.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "engine/base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/target.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

int64_t vector_bytes() {
  return static_cast<int64_t>(
      hwy::HWY_NAMESPACE::Lanes(hwy::HWY_NAMESPACE::ScalableTag<uint8_t>()));
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {
namespace {

HWY_EXPORT(vector_bytes);

/// The same on every version of Highway, whose own names for one instruction set differ.
std::string name_of(int64_t target) {
#if HWY_ARCH_X86
  if (target == HWY_AVX3) return "avx512";
  if (target == HWY_AVX2) return "avx2";
#elif HWY_ARCH_ARM
  if (target != HWY_EMU128 && target != HWY_SCALAR) return "neon";
#endif
  return "portable";
}

int64_t target_in_use() {
  return hwy::SupportedAndGeneratedTargets().front();
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
  return name_of(target_in_use());
}

std::string target_description() {
  const int64_t target = target_in_use();
  const std::string name = name_of(target);
  if (name != "portable") return name;
  if (target == HWY_SCALAR) return name + " (scalar)";
  if (target == HWY_EMU128) return name + " (emulated vectors)";
  return name + " (" + hwy::TargetName(target) + ")";
}

int64_t vector_bytes() {
  return HWY_DYNAMIC_DISPATCH(vector_bytes)();
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
#endif  // HWY_ONCE
