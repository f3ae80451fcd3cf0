#pragma once

#include <string>
#include <vector>

namespace edgeprune::inference {

/// What a plan runs on. All but onednn keep activations in panels
/// (engine/kernels/panels/panel_layout.h) and differ only in the 1x1 convolutions and the head.
enum class Engine {
  dense,      ///< dense weights on our own kernels
  sparse,     ///< CSR weights
  automatic,  ///< per layer whichever of the two was faster on this machine ("auto")
  onednn,     ///< oneDNN's convolutions, channels-last
};

const char* to_string(Engine engine);
/// Throws std::invalid_argument listing the choices.
Engine parse_engine(const std::string& name);
/// In the order of the enumeration.
std::vector<std::string> engine_names();

}  // namespace edgeprune::inference
