#include "engine/inference/engine.h"

#include <fmt/ranges.h>

#include "engine/base/check.h"

namespace edgeprune::inference {

const char* to_string(Engine engine) {
  switch (engine) {
    case Engine::dense:
      return "dense";
    case Engine::sparse:
      return "sparse";
    case Engine::automatic:
      return "auto";
    case Engine::onednn:
      return "onednn";
  }
  return "";
}

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (const Engine engine : {Engine::dense, Engine::sparse, Engine::automatic, Engine::onednn}) {
    names.push_back(to_string(engine));
  }
  return names;
}

Engine parse_engine(const std::string& name) {
  for (const Engine engine : {Engine::dense, Engine::sparse, Engine::automatic, Engine::onednn}) {
    if (name == to_string(engine)) return engine;
  }
  throw std::invalid_argument(
      fmt::format("[engine] expected one of {}, got '{}'", fmt::join(engine_names(), ", "), name));
}

}  // namespace edgeprune::inference
