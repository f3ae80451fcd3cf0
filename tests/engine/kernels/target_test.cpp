#include "engine/kernels/simd/target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <stdexcept>

namespace edgeprune {
namespace {

class SimdTarget : public ::testing::Test {
 protected:
  void TearDown() override {
    ::unsetenv("EDGEPRUNE_SIMD");
    simd::pin_target("");
  }
};

TEST_F(SimdTarget, TheBestOneIsTheDefault) {
  const auto names = simd::available_targets();
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(simd::current_target(), names.front());
}

TEST_F(SimdTarget, WhatThisCpuCanRunIsBuiltInInThatOrder) {
  const auto compiled = simd::compiled_targets();
  auto next = compiled.begin();
  for (const std::string& name : simd::available_targets()) {
    next = std::find(next, compiled.end(), name);
    ASSERT_NE(next, compiled.end()) << name;
  }
  EXPECT_EQ(compiled.back(), simd::available_targets().back()) << "every CPU runs the least";
}

TEST_F(SimdTarget, EachOneCanBePinnedAndIsNamedOnce) {
  auto names = simd::available_targets();
  for (const std::string& name : names) {
    simd::pin_target(name);
    EXPECT_EQ(simd::current_target(), name);
    EXPECT_EQ(simd::available_targets(), names) << "asking must not depend on what is pinned";
    EXPECT_EQ(simd::current_target(), name) << "nor change it";
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

#ifdef __x86_64__
TEST_F(SimdTarget, ThePortableOneIsAlwaysThere) {
  EXPECT_EQ(simd::available_targets().back(), "portable");
  for (const std::string& name : simd::available_targets()) {
    EXPECT_TRUE(name == "avx512" || name == "avx2" || name == "portable") << name;
  }
}
#endif

TEST_F(SimdTarget, NamesStandForTheLengthOfVectors) {
  const std::map<std::string, int64_t> bytes{{"avx512", 64}, {"avx2", 32}, {"neon", 16}};
  for (const std::string& name : simd::available_targets()) {
    simd::pin_target(name);
    const std::string description = simd::target_description();
    if (name == "portable") {
      // Which one depends on Highway's version and the compiler. Scalar: one lane of whatever type.
      const std::map<std::string, int64_t> kinds{
          {"portable (scalar)", 1}, {"portable (emulated vectors)", 16}, {"portable (SSE2)", 16}};
      ASSERT_TRUE(kinds.contains(description)) << description;
      EXPECT_EQ(simd::vector_bytes(), kinds.at(description));
    } else {
      EXPECT_EQ(simd::vector_bytes(), bytes.at(name)) << name;
      EXPECT_EQ(description, name);
    }
  }
}

TEST_F(SimdTarget, AnUnknownOneIsRefusedWithTheChoices) {
  try {
    simd::pin_target("mmx");
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("'mmx'"), std::string::npos) << message;
    for (const std::string& name : simd::available_targets()) {
      EXPECT_NE(message.find(name), std::string::npos) << message;
    }
  }
}

TEST_F(SimdTarget, TheEnvironmentPins) {
  const std::string last = simd::available_targets().back();
  ::setenv("EDGEPRUNE_SIMD", last.c_str(), 1);
  simd::pin_target_from_environment();
  EXPECT_EQ(simd::current_target(), last);
  ::setenv("EDGEPRUNE_SIMD", "mmx", 1);
  EXPECT_THROW(simd::pin_target_from_environment(), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
