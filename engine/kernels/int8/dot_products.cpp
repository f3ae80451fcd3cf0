#include "engine/kernels/int8/dot_products.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "engine/base/check.h"
#include "engine/kernels/simd/target.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace edgeprune::int8 {
namespace {

std::atomic<bool> allowed{true};

}  // namespace

bool has_dot_products() {
#if defined(__x86_64__) || defined(__i386__)
  // Intel's manual, CPUID: leaf 7, subleaf 0, ECX bit 11; subleaf 1, EAX bit 4. Whether the system
  // saves the registers is what the target stands for.
  unsigned a = 0, b = 0, c = 0, d = 0;
  const std::string target = simd::current_target();
  if (target == "avx512") return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c >> 11 & 1) != 0;
  if (target == "avx2") return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
#elif defined(__aarch64__) && defined(__linux__)
  // The kernel's word for what its manual calls asimddp: sdot and udot.
  constexpr unsigned long kDotProducts = 1ul << 20;
  return simd::current_target() == "neon" && (::getauxval(AT_HWCAP) & kDotProducts) != 0;
#endif
  return false;
}

void allow_dot_products(bool value) {
  allowed = value;
}

void allow_dot_products_by_environment() {
  const char* setting = std::getenv("EDGEPRUNE_VNNI");
  const std::string_view text = setting == nullptr ? "" : setting;
  if (text.empty()) return;
  require(text == "0" || text == "1", "EDGEPRUNE_VNNI",
          "expected 0 (do without instructions for dot products) or 1, got '{}'", text);
  allow_dot_products(text == "1");
}

bool uses_dot_products() {
  return allowed && has_dot_products();
}

}  // namespace edgeprune::int8
