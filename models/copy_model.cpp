#include "models/copy_model.h"

namespace edgeprune {

std::unique_ptr<MobileNetV2> copy_of(const MobileNetV2& model) {
  auto copy = std::make_unique<MobileNetV2>(model.architecture());
  copy->load_state_dict(model.state_dict());
  copy->dropout_rate = model.dropout_rate;
  copy->train(model.training());
  return copy;
}

}  // namespace edgeprune
