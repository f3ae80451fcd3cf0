#include "engine/kernels/simd/elementwise.h"

#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/elementwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

void add_range(const float* a, const float* b, int64_t count, float* output) {
  for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
    access.store(hn::Add(access.load(a + i), access.load(b + i)), output + i);
  });
}

void activate_range(const ActivationForm& form, const float* input, int64_t count, float* output) {
  with_activation(form, [&](const auto& activate) HWY_ATTR {
    for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
      access.store(activate(access.load(input + i)), output + i);
    });
  });
}

void activation_gradient_range(const ActivationForm& form, const float* input,
                               const float* grad_output, int64_t count, float* grad_input) {
  with_activation(form, [&](const auto& activate) HWY_ATTR {
    for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
      const Vec grad = access.load(grad_output + i);
      access.store(activate.gradient(grad, access.load(input + i)), grad_input + i);
    });
  });
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(add_range);
HWY_EXPORT(activate_range);
HWY_EXPORT(activation_gradient_range);

namespace {
constexpr int64_t kGrain = 1 << 14;  // 64 KB: below that a second thread costs more than it brings
}

void add(const float* a, const float* b, int64_t count, float* output) {
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(add_range)(a + begin, b + begin, end - begin, output + begin);
  });
}

void activate(Activation activation, const float* input, int64_t count, float* output) {
  const ActivationForm form = form_of(activation);
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(activate_range)(form, input + begin, end - begin, output + begin);
  });
}

void activation_gradient(Activation activation, const float* input, const float* grad_output,
                         int64_t count, float* grad_input) {
  const ActivationForm form = form_of(activation);
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(activation_gradient_range)
    (form, input + begin, grad_output + begin, end - begin, grad_input + begin);
  });
}

}  // namespace edgeprune::simd
#endif
