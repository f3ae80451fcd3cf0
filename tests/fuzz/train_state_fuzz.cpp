// The state of a paused training: weights, optimiser and progress, for a run that is known.

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/small_graph.h"
#include "tools/training/train_state.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static nn::Network model(fuzz::small_graph(), 0);
  static const auto optimizer = optim::make_optimizer("sgd", model.parameters(), 0);
  static const nlohmann::json identity = {{"epochs", 3}};
  return fuzz::feed(data, size, [](const std::string& path) {
    try {
      load_train_state(path, identity, model, *optimizer);
    } catch (const std::invalid_argument& error) {  // another run's
      throw FileError(error.what());
    }
  });
}
