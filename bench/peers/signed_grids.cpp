#include "bench/peers/signed_grids.h"

#include <algorithm>
#include <cmath>

#include "engine/inference/int8_reference.h"

namespace edgeprune::bench {
namespace {

constexpr int64_t kImages = 32;

SignedGrid grid_of_range(float least, float greatest) {
  least = std::min(least, 0.0f), greatest = std::max(greatest, 1e-6f);
  const float scale = (greatest - least) / 255;
  return {scale, int32_t(std::lrint(-least / scale)) - 128};
}

}  // namespace

SignedGrid signed_grid(const Grid& grid) {
  if (grid.highest - grid.lowest == 255) return {grid.scale, grid.zero_point - 128};
  return grid_of_range(grid.least(), grid.greatest());
}

std::map<size_t, SignedGrid> grids_on_images(const inference::QuantizedGraph& graph,
                                             const Tensor& images) {
  struct Range {
    float least = 0, greatest = 0;
  };
  std::map<size_t, Range> ranges;
  const int64_t count = images.shape()[0], size = images.count() / count;
  for (int64_t n = 0; n < std::min(count, kImages); ++n) {
    const auto maps = int8_by_plain_loops(graph, images.data() + n * size);
    for (size_t i = 0; i < graph.layers.size(); ++i) {
      if (graph.layers[i].residual < 0) continue;
      Range& range = ranges[i];
      for (const float value : int8_sums(graph, i, maps)) {
        range.least = std::min(range.least, value);
        range.greatest = std::max(range.greatest, value);
      }
    }
  }
  std::map<size_t, SignedGrid> grids;
  for (const auto& [i, range] : ranges) grids[i] = grid_of_range(range.least, range.greatest);
  return grids;
}

}  // namespace edgeprune::bench
