#include "models/blocks.h"

#include <algorithm>

#include "engine/base/check.h"

namespace edgeprune {

int64_t make_divisible(double value) {
  const int64_t rounded = std::max<int64_t>(8, int64_t(value + 4.0) / 8 * 8);
  return double(rounded) < 0.9 * value ? rounded + 8 : rounded;
}

size_t append_unit(Graph& graph, const std::string& prefix, const Kind& convolution, size_t input,
                   Activation activation, const kind::BatchNorm& norm) {
  size_t last = graph.append(prefix + "0", convolution, {input});
  last = graph.append(prefix + "1", norm, {last});
  if (activation == Activation::none) return last;
  return graph.append(prefix + "2", kind::Activate{activation}, {last});
}

void require_sensible(const char* network, double width, int64_t input_size, int64_t classes) {
  require(width > 0 && width <= 16, network, "expected a width in (0, 16], got {}", width);
  require(input_size >= 32 && input_size <= 4096, network,
          "expected an input size from 32 to 4096, got {}", input_size);
  require(classes >= 2 && classes <= 1 << 20, network, "expected at least 2 classes, got {}",
          classes);
}

}  // namespace edgeprune
