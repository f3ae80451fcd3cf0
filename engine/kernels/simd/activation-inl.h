// Activations and their gradients; included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_ACTIVATION_INL_H_
#undef EDGEPRUNE_ACTIVATION_INL_H_
#else
#define EDGEPRUNE_ACTIVATION_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <limits>

#include "engine/kernels/activation.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// min(max(v, low), high); NaN stays NaN.
template <class V>
HWY_INLINE V clamp(V v, V low, V high) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Min(high, hn::Max(low, v));  // the second operand, if one of them is NaN
#else
  v = hn::IfThenElse(hn::Lt(v, low), low, v);
  return hn::IfThenElse(hn::Gt(v, high), high, v);
#endif
}

// One functor a kind of ActivationForm: operator()(z) is the activation, gradient(grad, z) the
// gradient through it, zero where it clips, its end points included (as PyTorch's).

template <class D>
class Identity {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE V operator()(V v) const { return v; }
  HWY_INLINE V gradient(V grad, V) const { return grad; }
};

/// min(max(v, 0), kHigh), without an upper limit if that is zero. The limits are constants, which
/// compilers keep in registers, where members would be read from memory again and again.
template <class D, int kHigh>
class Relu {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE V operator()(V v) const { return clamp(v, low(), high()); }
  HWY_INLINE V gradient(V grad, V z) const {
    const auto inside = hn::And(hn::Gt(z, low()), hn::Lt(z, high()));
    // A product, not IfThenElseZero(inside, grad): compilers make a masked load of that, which
    // waits for z to arrive from memory and halves the bandwidth.
    return hn::Mul(grad, hn::IfThenElseZero(inside, hn::Set(D(), 1.0f)));
  }

 private:
  static HWY_INLINE V low() { return hn::Zero(D()); }
  static HWY_INLINE V high() {
    return hn::Set(D(),
                   kHigh > 0 ? static_cast<float>(kHigh) : std::numeric_limits<float>::infinity());
  }
};

template <class D>
class Gate {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE explicit Gate(const ActivationForm& form)
      : low_(hn::Set(D(), form.low)),
        high_(hn::Set(D(), form.high)),
        shift_(hn::Set(D(), form.shift)),
        scale_(hn::Set(D(), form.scale)),
        beyond_(hn::Set(D(), form.times_input ? form.scale * form.high : 0.0f)),
        times_input_(hn::Set(D(), form.times_input ? 1.0f : 0.0f)) {}
  HWY_INLINE V operator()(V v) const {
    const V gate = hn::Mul(clamp(hn::Add(v, shift_), low_, high_), scale_);
    return hn::Mul(gate, input_or_one(v));
  }
  /// Inside, of scale * (z + shift) * z that is scale * (2 * z + shift); beyond the upper end, where
  /// the gate is a constant, that constant.
  HWY_INLINE V gradient(V grad, V z) const {
    const V moved = hn::Add(z, shift_);
    const V inside = hn::Mul(scale_, input_or_one(hn::Add(moved, z)));
    const V slope = hn::IfThenElse(hn::Ge(moved, high_), beyond_, inside);
    return hn::Mul(grad, hn::IfThenZeroElse(hn::Le(moved, low_), slope));
  }

 private:
  HWY_INLINE V input_or_one(V v) const {
    const V one = hn::Set(D(), 1.0f);
    return hn::IfThenElse(hn::Eq(times_input_, one), v, one);
  }
  V low_, high_, shift_, scale_, beyond_, times_input_;
};

/// s = 1 / (1 + exp(-v)) by r = min(s, 1 - s), which keeps its digits at both ends.
template <class D>
class Sigmoid {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE explicit Sigmoid(const ActivationForm& form)
      : times_input_(hn::Set(D(), form.times_input ? 1.0f : 0.0f)) {}
  HWY_INLINE V operator()(V v) const {
    const V r = lesser(v), factor = hn::IfThenElse(hn::Eq(times_input_, one()), v, one());
    const V y = hn::IfThenElse(hn::Lt(v, hn::Zero(D())), hn::Mul(factor, r),
                               hn::NegMulAdd(factor, r, factor));
    return hn::IfThenElse(hn::Eq(v, v), y, v);  // Exp takes NaN for a number
  }
  /// Of s that is s (1 - s), of z s it is s + z s (1 - s).
  HWY_INLINE V gradient(V grad, V z) const {
    const V r = lesser(z), greater = hn::Sub(one(), r), slope = hn::Mul(r, greater);
    const V s = hn::IfThenElse(hn::Lt(z, hn::Zero(D())), r, greater);
    const V with_input = hn::MulAdd(z, slope, s);
    return hn::Mul(grad, hn::IfThenElse(hn::Eq(times_input_, one()), with_input, slope));
  }

 private:
  static HWY_INLINE V one() { return hn::Set(D(), 1.0f); }
  /// Zero where it would be subnormal.
  static HWY_INLINE V lesser(V v) {
    const V least = hn::Set(D(), -87.0f), down = hn::Neg(hn::Abs(v));
    const V e = hn::Exp(D(), hn::Max(down, least));
    return hn::IfThenZeroElse(hn::Lt(down, least), hn::Div(e, hn::Add(one(), e)));
  }

  V times_input_;
};

/// body(functor), for vectors of D.
template <class D = hn::ScalableTag<float>, typename Body>
HWY_INLINE void with_activation(const ActivationForm& form, const Body& body) {
  switch (form.kind) {
    case ActivationForm::Kind::identity:
      return body(Identity<D>());
    case ActivationForm::Kind::relu:
      return body(Relu<D, 0>());
    case ActivationForm::Kind::relu6:
      return body(Relu<D, 6>());
    case ActivationForm::Kind::gate:
      return body(Gate<D>(form));
    case ActivationForm::Kind::sigmoid:
      return body(Sigmoid<D>(form));
  }
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
