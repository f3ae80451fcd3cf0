#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

/// Skips the running test on machines without gnuplot.
#define EDGEPRUNE_REQUIRE_GNUPLOT()                           \
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) \
  GTEST_SKIP() << "needs gnuplot (Debian: gnuplot-nox)"
