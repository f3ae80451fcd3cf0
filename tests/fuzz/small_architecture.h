#pragma once
// A network of a few numbers: its checkpoint is read thousands of times a second.

#include "models/architecture.h"

namespace edgeprune::fuzz {

inline Architecture small_architecture() {
  Architecture small;
  small.input_size = 32;
  small.classes = 2;
  small.stem = small.last = 1;
  small.blocks = {{.hidden = 1, .out = 1, .stride = 1, .expand = false, .residual = true}};
  return small;
}

}  // namespace edgeprune::fuzz
