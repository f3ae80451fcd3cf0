#pragma once

#include <gtest/gtest.h>

#include <string>

namespace edgeprune::testing {

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in:\n" << text;
}

}  // namespace edgeprune::testing
