#pragma once

#include "tools/measurement/machine.h"

namespace edgeprune::testing {

inline Machine sample_machine() {
  return {"Sample CPU 9000", 4, "performance", "avx2", "Release, GCC", "0123abc"};
}

}  // namespace edgeprune::testing
