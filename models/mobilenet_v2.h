#pragma once

#include <memory>
#include <vector>

#include "engine/nn/layers.h"
#include "models/architecture.h"

namespace edgeprune {

/// MobileNetV2 with torchvision's parameter names.
class MobileNetV2 : public nn::Module {
 public:
  /// Weights are zero, for a state dict to be loaded. (To draw two million that are overwritten at
  /// once would take most of a short command's time.)
  explicit MobileNetV2(Architecture architecture);
  /// Weights are torchvision's initial ones, drawn from `seed`.
  MobileNetV2(Architecture architecture, uint64_t seed);

  /// images [N,S,S,3] (normalised, S the architecture's input size) to logits [N,classes].
  /// `dropout` is drawn from in training only. Throws std::invalid_argument if the images are of
  /// another size.
  Variable forward(const Variable& images, Rng& dropout);

  const Architecture& architecture() const { return architecture_; }

  /// A convolution and the batch norm behind it.
  struct Unit {
    ConvSpec spec;
    nn::Conv2d conv;
    nn::BatchNorm2d norm;
    explicit Unit(ConvSpec conv_spec);
    Variable forward(const Variable& x);
  };
  const std::vector<std::unique_ptr<Unit>>& units() const { return units_; }
  const nn::Linear& head() const { return *head_; }
  nn::Linear& head() { return *head_; }

  float dropout_rate = 0.2f;  ///< before the head, torchvision's

 private:
  Architecture architecture_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::unique_ptr<nn::Linear> head_;
};

}  // namespace edgeprune
