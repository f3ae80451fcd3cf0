#include "engine/kernels/simd/optimizer.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/optimizer.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

template <typename Access>
HWY_INLINE void store_masked(const Access& access, Vec value, const float* mask, int64_t i,
                             float* parameter) {
  if (mask != nullptr) {
    const F32 d;
    value = hn::IfThenElseZero(hn::Ne(access.load(mask + i), hn::Zero(d)), value);
  }
  access.store(value, parameter + i);
}

void adam_range(const AdamStep& step, const float* grad, const float* mask, int64_t count,
                float* parameter, float* first, float* second) {
  const F32 d;
  const Vec step_size = hn::Set(d, step.learning_rate / step.bias_correction1);
  const Vec root_scale = hn::Set(d, 1.0f / std::sqrt(step.bias_correction2));
  const Vec eps = hn::Set(d, step.eps), decay = hn::Set(d, step.weight_decay);
  const Vec beta1 = hn::Set(d, step.beta1), rest1 = hn::Set(d, 1.0f - step.beta1);
  const Vec beta2 = hn::Set(d, step.beta2), rest2 = hn::Set(d, 1.0f - step.beta2);
  for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
    const Vec p = access.load(parameter + i);
    const Vec g = hn::MulAdd(decay, p, access.load(grad + i));
    const Vec m = hn::MulAdd(beta1, access.load(first + i), hn::Mul(rest1, g));
    const Vec v = hn::MulAdd(beta2, access.load(second + i), hn::Mul(rest2, hn::Mul(g, g)));
    access.store(m, first + i);
    access.store(v, second + i);
    const Vec denominator = hn::MulAdd(hn::Sqrt(v), root_scale, eps);
    const Vec updated = hn::Sub(p, hn::Div(hn::Mul(step_size, m), denominator));
    store_masked(access, updated, mask, i, parameter);
  });
}

void sgd_range(const SgdStep& step, const float* grad, const float* mask, int64_t count,
               float* parameter, float* velocity) {
  const F32 d;
  const Vec rate = hn::Set(d, step.learning_rate), momentum = hn::Set(d, step.momentum);
  const Vec decay = hn::Set(d, step.weight_decay);
  for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
    const Vec p = access.load(parameter + i);
    const Vec g = hn::MulAdd(decay, p, access.load(grad + i));
    const Vec v = hn::MulAdd(momentum, access.load(velocity + i), g);
    access.store(v, velocity + i);
    store_masked(access, hn::NegMulAdd(rate, v, p), mask, i, parameter);
  });
}

int64_t count_range(const float* parameter, const uint8_t* pruned, int64_t count) {
  const F32 d;
  const hn::RebindToUnsigned<F32> du;
  const hn::Rebind<uint8_t, F32> bytes;
  const int64_t lanes = hn::Lanes(d);
  int64_t nonzeros = 0, i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto is_pruned = hn::Ne(hn::PromoteTo(du, hn::LoadU(bytes, pruned + i)), hn::Zero(du));
    // The bits but for the sign: a comparison of floats need not find NaN unequal.
    const auto magnitude = hn::ShiftLeft<1>(hn::BitCast(du, hn::LoadU(d, parameter + i)));
    nonzeros += hn::CountTrue(du, hn::And(is_pruned, hn::Ne(magnitude, hn::Zero(du))));
  }
  for (; i < count; ++i) nonzeros += pruned[i] != 0 && parameter[i] != 0.0f;
  return nonzeros;
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(adam_range);
HWY_EXPORT(sgd_range);
HWY_EXPORT(count_range);

void adam_update(const AdamStep& step, const float* grad, const float* mask, int64_t count,
                 float* parameter, float* first_moment, float* second_moment) {
  HWY_DYNAMIC_DISPATCH(adam_range)
  (step, grad, mask, count, parameter, first_moment, second_moment);
}

void sgd_update(const SgdStep& step, const float* grad, const float* mask, int64_t count,
                float* parameter, float* velocity) {
  HWY_DYNAMIC_DISPATCH(sgd_range)(step, grad, mask, count, parameter, velocity);
}

int64_t count_pruned_nonzeros(const float* parameter, const uint8_t* pruned, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(count_range)(parameter, pruned, count);
}

}  // namespace edgeprune::simd
#endif
