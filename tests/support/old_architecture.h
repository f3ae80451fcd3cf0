#pragma once
// What checkpoints held before there were graphs, written out by hand.

#include "engine/base/json.h"

namespace edgeprune::testing {

/// MobileNetV2 of width 0.25 for 32x32 images and 10 classes, as a table of blocks.
inline nlohmann::json old_architecture() {
  auto blocks = nlohmann::json::array();
  const auto add = [&](int hidden, int out, int stride, bool residual, int times = 1) {
    for (int i = 0; i < times; ++i) {
      blocks.push_back({{"hidden", hidden},
                        {"out", out},
                        {"stride", stride},
                        {"expand", !blocks.empty()},
                        {"residual", residual}});
    }
  };
  add(8, 8, 1, true);
  add(48, 8, 2, false);
  add(48, 8, 1, true);
  add(48, 8, 2, false);
  add(48, 8, 1, true, 2);
  add(48, 16, 2, false);
  add(96, 16, 1, true, 3);
  add(96, 24, 1, false);
  add(144, 24, 1, true, 2);
  add(144, 40, 2, false);
  add(240, 40, 1, true, 2);
  add(240, 80, 1, false);
  return {{"name", "mobilenet_v2"}, {"width", 0.25}, {"input_size", 32},
          {"classes", 10},          {"stem", 8},     {"last", 1280},
          {"blocks", blocks}};
}

}  // namespace edgeprune::testing
