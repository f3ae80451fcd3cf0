#pragma once
// Tests of SIMD kernels run once on every instruction set that this CPU has.

#include <gtest/gtest.h>

#include <string>

#include "engine/kernels/simd/target.h"

namespace edgeprune::testing {

/// TEST_P(Suite, Name) with the target named by GetParam() pinned, and the best one afterwards.
class OnEveryTarget : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { simd::pin_target(GetParam()); }
  void TearDown() override { simd::pin_target(""); }
};

}  // namespace edgeprune::testing

#define EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(suite)                      \
  INSTANTIATE_TEST_SUITE_P(                                               \
      , suite, ::testing::ValuesIn(edgeprune::simd::available_targets()), \
      [](const ::testing::TestParamInfo<std::string>& target) { return target.param; })
