#include "pruning/method.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace edgeprune {
namespace {

std::string error_of(const PruneLimits& limits) {
  const nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  try {
    require_valid(limits, model);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(PruneLimits, EveryLayerOfTheModelMayBeKept) {
  EXPECT_EQ(error_of({}), "none");
  EXPECT_EQ(error_of({.keep = {"features.0.0", "features.7.conv.1.0", "classifier.1"},
                      .min_density = 0.1}),
            "none");
}

TEST(PruneLimits, UnknownLayersAreRejectedWithNearNames) {
  const auto says = [](const std::string& name, const std::string& expected) {
    const std::string error = error_of({.keep = {"features.0.0", name}});
    EXPECT_NE(error.find("no layer '" + name + "'"), std::string::npos) << error;
    EXPECT_NE(error.find(expected), std::string::npos) << error;
  };
  says("features.0", "there is features.0.0");
  says("features.0.0.weight", "there is features.0.0");
  says("features.2", "there is features.2.conv.0.0, features.2.conv.1.0, features.2.conv.2");
  says("clasifier.1", "there is classifier.1");
  says("features", ", ...");
  says("conv1", "layers are called features.0.0, features.1.conv.0.0, ... classifier.1");
}

TEST(PruneLimits, DensitiesAreFractions) {
  for (const double density : {-0.1, 1.1, std::nan("")}) {
    EXPECT_NE(error_of({.min_density = density}).find("[0, 1]"), std::string::npos);
  }
}

TEST(PruneLimits, WhatStaysIsRoundedUp) {
  EXPECT_EQ(least_kept({.min_density = 0.1}, 30), 3);
  EXPECT_EQ(least_kept({.min_density = 0.1}, 31), 4);
  EXPECT_EQ(least_kept({}, 30), 0);
  EXPECT_EQ(least_kept({.min_density = 1}, 30), 30);
}

TEST(Methods, AreNamed) {
  for (const Method method : values_in(kMethods)) {
    EXPECT_EQ(parse_method(to_string(method)), method);
  }
  EXPECT_THROW(parse_method("l1"), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
