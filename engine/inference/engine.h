#pragma once

#include <string>
#include <vector>

#include "engine/base/names.h"

namespace edgeprune::inference {

/// What a plan runs on. Dense and sparse keep activations in panels
/// (engine/kernels/panels/panel_layout.h) where these know the whole network, and differ only in
/// what has a sparse kernel: convolutions of one group but for the first layer, and the head.
enum class Engine {
  dense,        ///< dense weights on our own kernels
  sparse,       ///< CSR weights
  automatic,    ///< the fastest of all kernels and of the other engines on this machine
  onednn,       ///< oneDNN's convolutions, channels-last
  int8,         ///< bytes, of quantised networks, which only int8, int8_sparse and automatic run
  int8_sparse,  ///< the same, skipping zero weights where these are enough
};

inline constexpr Named<Engine> kEngines[] = {
    {Engine::dense, "dense"},
    {Engine::sparse, "sparse", "skips zeros"},
    {Engine::automatic, "auto", "the fastest kernels and plan, by times taken here"},
    {Engine::onednn, "onednn", "oneDNN's convolutions, for comparison"},
    {Engine::int8, "int8", "8-bit integers, of models from edgeprune quantize"},
    {Engine::int8_sparse, "int8-sparse", "the same, skips zeros where that pays"}};
static_assert(in_order(kEngines));

inline const char* to_string(Engine engine) {
  return name_of(kEngines, engine);
}
/// Whether it runs quantised networks alone.
constexpr bool in_integers(Engine engine) {
  return engine == Engine::int8 || engine == Engine::int8_sparse;
}
/// Those that run networks in floats.
inline std::vector<Engine> float_engines() {
  std::vector<Engine> engines = values_in(kEngines);
  std::erase_if(engines, in_integers);
  return engines;
}
/// Throws std::invalid_argument listing the choices.
inline Engine parse_engine(const std::string& name) {
  return value_of("engine", kEngines, name);
}

}  // namespace edgeprune::inference
