#include "models/copy_model.h"

namespace edgeprune {

std::unique_ptr<nn::Network> copy_of(const nn::Network& model) {
  auto copy = std::make_unique<nn::Network>(model.graph());
  copy->load_state_dict(model.state_dict());
  copy->train(model.training());
  return copy;
}

}  // namespace edgeprune
