#pragma once
// The activations and their derivatives as their papers write them.

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/kernels/activation.h"

namespace edgeprune::reference {

inline double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

inline double activate(Activation activation, double x) {
  const auto clip = [](double z) { return z < 0 ? 0.0 : z > 6 ? 6.0 : z; };  // NaN stays NaN
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0 ? 0.0 : x;
    case Activation::relu6:
      return clip(x);
    case Activation::hard_swish:
      return x * clip(x + 3) / 6;
    case Activation::hard_sigmoid:
      return clip(x + 3) / 6;
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::sigmoid:
      return sigmoid(x);
  }
  throw std::invalid_argument("[activate] expected an activation");
}

/// At corners PyTorch's choice, for hard swish that of its newer versions.
inline double slope(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return 1;
    case Activation::relu:
      return x > 0;
    case Activation::relu6:
      return x > 0 && x < 6;
    case Activation::hard_swish:
      return x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1;
    case Activation::hard_sigmoid:
      return x > -3 && x < 3 ? 1.0 / 6 : 0;
    case Activation::silu:
      return sigmoid(x) * (1 + x * sigmoid(-x));
    case Activation::sigmoid:
      return sigmoid(x) * sigmoid(-x);
  }
  throw std::invalid_argument("[slope] expected an activation");
}

}  // namespace edgeprune::reference
