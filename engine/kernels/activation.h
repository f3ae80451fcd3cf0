#pragma once
// The activations that a layer may end in. Kernels know just two formulas, of one of which each activation
// is a case; its plain-loop twin is kernels/reference/activation.h.

#include <cmath>
#include <limits>
#include <stdexcept>

#include "engine/base/names.h"

namespace edgeprune {

enum class Activation { none, relu, relu6, hard_swish, hard_sigmoid, silu, sigmoid };

inline constexpr Named<Activation> kActivations[] = {
    {Activation::none, "none", "x"},
    {Activation::relu, "relu", "max(x, 0)"},
    {Activation::relu6, "relu6", "min(max(x, 0), 6)"},
    {Activation::hard_swish, "hard_swish", "x relu6(x + 3) / 6"},
    {Activation::hard_sigmoid, "hard_sigmoid", "relu6(x + 3) / 6"},
    {Activation::silu, "silu", "x / (1 + exp(-x))"},
    {Activation::sigmoid, "sigmoid", "1 / (1 + exp(-x))"},
};
static_assert(in_order(kActivations));

/// scale * min(max(x + shift, low), high), or else 1 / (1 + exp(-x)); times x if it is a gate on x itself. Kernels are
/// compiled once a kind: the first three are the form at constants known to the compiler.
struct ActivationForm {
  enum class Kind { identity, relu, relu6, gate, sigmoid };
  Kind kind = Kind::identity;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  float shift = 0.0f, scale = 1.0f;  ///< of gates
  bool times_input = false;          ///< of gates and sigmoids

  /// Whether it only ends the range of what comes in.
  constexpr bool clips() const {
    return kind == Kind::identity || kind == Kind::relu || kind == Kind::relu6;
  }
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
    case Activation::silu:
      return {.kind = Kind::sigmoid, .times_input = true};
    case Activation::sigmoid:
      return {.kind = Kind::sigmoid};
  }
  throw std::invalid_argument("[form_of] expected an activation");
}

/// Of a single number. NaN stays NaN.
inline float activate(const ActivationForm& form, float x) {
  const float one_or_x = form.times_input ? x : 1.0f;
  if (form.kind == ActivationForm::Kind::sigmoid) {
    return static_cast<float>(one_or_x / (1.0 + std::exp(-double{x})));
  }
  const float moved = x + form.shift;
  const float inside = moved < form.low ? form.low : moved > form.high ? form.high : moved;
  return one_or_x * (form.scale * inside);
}

}  // namespace edgeprune
