#pragma once

#include "engine/autograd/variable.h"

namespace edgeprune::ops {

/// [N,H,W,C] to [N,C]: the mean over H and W.
Variable global_average_pool(const Variable& input);

}  // namespace edgeprune::ops
