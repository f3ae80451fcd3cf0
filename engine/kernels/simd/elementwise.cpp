#include "engine/kernels/simd/elementwise.h"

#include <algorithm>

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

void round_to_grid_range(const ActivationForm& form, const Grid& grid, const float* input,
                         int64_t count, float* output) {
  const F32 d;
  const Vec scale = hn::Set(d, grid.scale), zero_point = hn::Set(d, float(grid.zero_point)),
            lowest = hn::Set(d, float(grid.lowest)), highest = hn::Set(d, float(grid.highest));
  with_activation(form, [&](const auto& activate) HWY_ATTR {
    for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
      // As Grid rounds, operation by operation: the same bits.
      const Vec y = activate(access.load(input + i));
      const Vec q = hn::Add(hn::Round(hn::Div(y, scale)), zero_point);
      const Vec inside = hn::Min(hn::Max(q, lowest), highest);
      access.store(hn::Mul(scale, hn::Sub(inside, zero_point)), output + i);
    });
  });
}

void round_to_grid_gradient_range(const ActivationForm& form, const Grid& grid, const float* input,
                                  const float* grad_output, int64_t count, float* grad_input) {
  const F32 d;
  const Vec low = hn::Set(d, grid.least() - grid.scale / 2),
            high = hn::Set(d, grid.greatest() + grid.scale / 2);
  with_activation(form, [&](const auto& activate) HWY_ATTR {
    for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
      const Vec x = access.load(input + i), y = activate(x);
      const auto inside = hn::And(hn::Ge(y, low), hn::Le(y, high));
      const Vec grad = hn::IfThenElseZero(inside, access.load(grad_output + i));
      access.store(activate.gradient(grad, x), grad_input + i);
    });
  });
}

/// Rows [begin, end) of pixels.
void scale_rows(const ChannelMap& map, const float* input, const float* factors, float* output,
                int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* from = input + row * map.channels;
    const float* factor = factors + row / map.pixels * map.channels;
    float* to = output + row * map.channels;
    for_each_vector(map.channels, [&](auto access, int64_t c) HWY_ATTR {
      access.store(hn::Mul(access.load(from + c), access.load(factor + c)), to + c);
    });
  }
}

/// Images [begin, end). Sums of 32 pixels each are added up, which loses fewer digits than one long
/// sum.
void scale_gradient_of_factors(const ChannelMap& map, const float* input, const float* grad_output,
                               float* grad_factors, int64_t begin, int64_t end) {
  constexpr int64_t kBlock = 32;
  for (int64_t image = begin; image < end; ++image) {
    float* to = grad_factors + image * map.channels;
    for_each_vector(map.channels, [&](auto access, int64_t c)
                                      HWY_ATTR { access.store(hn::Zero(F32()), to + c); });
    for (int64_t first = 0; first < map.pixels; first += kBlock) {
      const int64_t last = std::min(first + kBlock, map.pixels);
      for_each_vector(map.channels, [&](auto access, int64_t c) HWY_ATTR {
        Vec sum = hn::Zero(F32());
        for (int64_t p = first; p < last; ++p) {
          const int64_t at = (image * map.pixels + p) * map.channels + c;
          sum = hn::MulAdd(access.load(input + at), access.load(grad_output + at), sum);
        }
        access.store(hn::Add(access.load(to + c), sum), to + c);
      });
    }
  }
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(add_range);
HWY_EXPORT(activate_range);
HWY_EXPORT(activation_gradient_range);
HWY_EXPORT(round_to_grid_range);
HWY_EXPORT(round_to_grid_gradient_range);
HWY_EXPORT(scale_rows);
HWY_EXPORT(scale_gradient_of_factors);

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

void round_to_grid(Activation activation, const Grid& grid, const float* input, int64_t count,
                   float* output) {
  const ActivationForm form = form_of(activation);
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(round_to_grid_range)
    (form, grid, input + begin, end - begin, output + begin);
  });
}

void round_to_grid_gradient(Activation activation, const Grid& grid, const float* input,
                            const float* grad_output, int64_t count, float* grad_input) {
  const ActivationForm form = form_of(activation);
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(round_to_grid_gradient_range)
    (form, grid, input + begin, grad_output + begin, end - begin, grad_input + begin);
  });
}

void scale_channels(const ChannelMap& map, const float* input, const float* factors,
                    float* output) {
  const int64_t grain = std::max<int64_t>(1, kGrain / map.channels);
  parallel_for(map.images * map.pixels, grain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(scale_rows)(map, input, factors, output, begin, end);
  });
}

void scale_channels_gradient(const ChannelMap& map, const float* input, const float* grad_output,
                             float* grad_factors) {
  parallel_for(map.images, 1, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(scale_gradient_of_factors)
    (map, input, grad_output, grad_factors, begin, end);
  });
}

}  // namespace edgeprune::simd
#endif
