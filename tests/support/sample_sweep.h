#pragma once
// A made-up sweep over a network of two 1x1 layers and a depthwise one.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tools/sweeps/breakeven.h"

namespace edgeprune::testing {

/// Of 8 weights each, so many of the layers' are zero at the levels 0, 50 and 75 %.
inline std::shared_ptr<const inference::Graph> sample_graph(int zeros_expand, int zeros_project) {
  const auto layer = [](const std::string& name, Conv2dShape shape, int zeros) {
    Tensor weight(
        {shape.out_channels, shape.in_channels / shape.groups, shape.kernel, shape.kernel}, 1.0f);
    std::fill_n(weight.data(), zeros, 0.0f);
    return inference::Layer{
        .name = name, .shape = shape, .weight = weight, .bias = Tensor({shape.out_channels}, 0.0f)};
  };
  const Conv2dShape expand{.in_height = 4, .in_width = 4, .in_channels = 2, .out_channels = 4};
  const Conv2dShape depthwise{.in_height = 4,
                              .in_width = 4,
                              .in_channels = 4,
                              .out_channels = 4,
                              .kernel = 3,
                              .padding = 1,
                              .groups = 4};
  const Conv2dShape project{.in_height = 4, .in_width = 4, .in_channels = 4, .out_channels = 2};
  return std::make_shared<const inference::Graph>(
      inference::Graph{{layer("expand", expand, zeros_expand), layer("depthwise", depthwise, 0),
                        layer("project", project, zeros_project)}});
}

/// A factor without doubt.
inline Factor exactly(double factor) {
  return {{factor, factor, factor}, 20};
}

/// Dense takes 1 + 1 + 1 ms. Sparse takes 2, 1, 0.5 ms for expand, always 2 for depthwise, always
/// 0.5 for project. Auto takes the better of each, but never has a depthwise step of its own.
inline Sweep sample_sweep() {
  const auto result = [](const std::string& engine, double expand, double depthwise,
                         double project) {
    LatencyResult r;
    r.cell = {.engine = engine,
              .batch = 8,
              .threads = 2,
              .samples = 50,
              .median = expand + depthwise + project,
              .factor = exactly(3 / (expand + depthwise + project))};
    r.steps = {{{"expand", "csr", 512, 512, 1e3}, expand},
               {{"project", "csr", 512, 512, 1e3}, project}};
    if (engine != "auto")
      r.steps.push_back({{"depthwise", "simd depthwise", 1152, 1152, 1e3}, depthwise});
    return r;
  };
  Sweep sweep{
      .batch = 8,
      .threads = 2,
      .levels = {{0, sample_graph(0, 0)}, {0.5, sample_graph(2, 6)}, {0.75, sample_graph(6, 6)}},
      .results = {},
      .curves = {}};
  for (const double expand : {2.0, 1.0, 0.5}) {
    sweep.results.push_back({result("dense", 1, 1, 1), result("sparse", expand, 2, 0.5),
                             result("auto", std::min(1.0, expand), 1, 0.5)});
  }
  sweep.curves = layer_curves(sweep);
  return sweep;
}

}  // namespace edgeprune::testing
