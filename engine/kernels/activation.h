#pragma once
// The activations that a layer may end in. Kernels know just one formula, of which each activation
// is a case; its plain-loop twin is kernels/reference/activation.h.

#include <limits>
#include <stdexcept>

#include "engine/base/names.h"

namespace edgeprune {

enum class Activation { none, relu, relu6, hard_swish, hard_sigmoid };

inline constexpr Named<Activation> kActivations[] = {
    {Activation::none, "none", "x"},
    {Activation::relu, "relu", "max(x, 0)"},
    {Activation::relu6, "relu6", "min(max(x, 0), 6)"},
    {Activation::hard_swish, "hard_swish", "x relu6(x + 3) / 6"},
    {Activation::hard_sigmoid, "hard_sigmoid", "relu6(x + 3) / 6"},
};
static_assert(in_order(kActivations));

/// scale * min(max(x + shift, low), high), times x if it is a gate on x itself. Kernels are compiled
/// once a kind: the first three are the form at constants known to the compiler.
struct ActivationForm {
  enum class Kind { identity, relu, relu6, gate };
  Kind kind = Kind::identity;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  float shift = 0.0f, scale = 1.0f;  ///< of gates
  bool times_input = false;          ///< of gates
};

/// The one place that knows what each activation is.
constexpr ActivationForm form_of(Activation activation) {
  using Kind = ActivationForm::Kind;
  constexpr float kNoLimit = std::numeric_limits<float>::infinity();
  switch (activation) {
    case Activation::none:
      return {};
    case Activation::relu:
      return {Kind::relu, 0.0f, kNoLimit};
    case Activation::relu6:
      return {Kind::relu6, 0.0f, 6.0f};
    case Activation::hard_swish:
      return {Kind::gate, 0.0f, 6.0f, 3.0f, 1.0f / 6.0f, true};
    case Activation::hard_sigmoid:
      return {Kind::gate, 0.0f, 6.0f, 3.0f, 1.0f / 6.0f, false};
  }
  throw std::invalid_argument("[form_of] expected an activation");
}

/// Of a single number. NaN stays NaN.
constexpr float activate(const ActivationForm& form, float x) {
  const float moved = x + form.shift;
  const float inside = moved < form.low ? form.low : moved > form.high ? form.high : moved;
  const float gate = form.scale * inside;
  return form.times_input ? x * gate : gate;
}

}  // namespace edgeprune
