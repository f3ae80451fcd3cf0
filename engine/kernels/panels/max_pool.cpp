#include "engine/kernels/panels/max_pool.h"

#include <algorithm>
#include <limits>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/columns.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/max_pool.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::for_each_vector;
using simd::HWY_NAMESPACE::Vec;

/// body(pointer into the panels, first column, count) for each panel's share of columns [begin, end).
template <typename T, typename Body>
HWY_INLINE void for_each_share(const Columns<T>& columns, int64_t width, int64_t begin, int64_t end,
                               const Body& body) {
  for (int64_t column = begin; column < end;) {
    const int64_t stop = std::min(end, (column / width + 1) * width);
    body(columns.at(column), column, stop - column);
    column = stop;
  }
}

HWY_INLINE void take_larger(const float* from, int64_t count, float* largest) {
  for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
    const Vec v = access.load(from + i), before = access.load(largest + i);
    const auto larger = hn::Or(hn::Gt(v, before), hn::IsNaN(v));
    access.store(hn::IfThenElse(larger, v, before), largest + i);
  });
}

/// Channels [begin, end). `row` holds a row of inputs: the largest of the lines of a row of windows.
void max_pool_channels(const Conv2dShape& s, const float* input, float* row, float* output,
                       int64_t begin, int64_t end) {
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  const PanelLayout in{s.in_channels, s.in_height * s.in_width * s.batch},
      out{s.in_channels, s.out_height() * s.out_width() * s.batch};
  const Panels<const float> inputs(input, in);
  const Panels<float> outputs(output, out);
  const int64_t in_row = s.in_width * s.batch;
  for (int64_t c = begin; c < end; ++c) {
    const Columns x = inputs.channel(c);
    const Columns y = outputs.channel(c);
    for (int64_t oh = 0; oh < s.out_height(); ++oh) {
      std::fill_n(row, in_row, kLeast);
      const int64_t top = oh * s.stride - s.padding;
      const int64_t last_row = std::min(top + s.kernel, s.in_height);
      for (int64_t h = std::max<int64_t>(0, top); h < last_row; ++h) {
        for_each_share(x, in.width(), h * in_row, (h + 1) * in_row,
                       [&](const float* from, int64_t column, int64_t count)
                           HWY_ATTR { take_larger(from, count, row + column - h * in_row); });
      }
      for (int64_t ow = 0; ow < s.out_width(); ++ow) {
        const int64_t left = ow * s.stride - s.padding;
        const int64_t first = std::max<int64_t>(0, left);
        const int64_t last = std::min(left + s.kernel, s.in_width);
        for (int64_t n = 0; n < s.batch; ++n) {
          float largest = kLeast;
          for (int64_t w = first; w < last; ++w) {
            const float v = row[w * s.batch + n];
            if (!(v <= largest)) largest = v;  // NaN stays: nothing is at most NaN
            if (largest != largest) break;
          }
          *y.at((oh * s.out_width() + ow) * s.batch + n) = largest;
        }
      }
    }
  }
}

void scale_range(int64_t channels, int64_t columns, int64_t batch, const float* input,
                 const float* factors, float* output, int64_t begin, int64_t end) {
  const PanelLayout layout{channels, columns};
  const Panels<const float> inputs(input, layout), scales(factors, PanelLayout{channels, batch});
  const Panels<float> outputs(output, layout);
  for (int64_t c = begin; c < end; ++c) {
    const Columns x = inputs.channel(c);
    const Columns scale = scales.channel(c);
    const Columns y = outputs.channel(c);
    for_each_share(x, layout.width(), 0, columns,
                   [&](const float* from, int64_t column, int64_t count) HWY_ATTR {
                     float* to = y.at(column);
                     if (batch == 1) {
                       const Vec factor = hn::Set(F32(), *scale.at(0));
                       for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
                         access.store(hn::Mul(access.load(from + i), factor), to + i);
                       });
                       return;
                     }
                     for (int64_t i = 0; i < count; ++i) {
                       to[i] = from[i] * *scale.at((column + i) % batch);
                     }
                   });
  }
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(max_pool_channels);
HWY_EXPORT(scale_range);

int64_t max_pool_scratch_size(const Conv2dShape& shape) {
  return shape.in_width * shape.batch;
}

void max_pool(const Conv2dShape& shape, const float* input, float* scratch, float* output) {
  parallel_for(shape.in_channels, 1, [&](int64_t begin, int64_t end, int part) {
    HWY_DYNAMIC_DISPATCH(max_pool_channels)
    (shape, input, scratch + part * max_pool_scratch_size(shape), output, begin, end);
  });
}

void scale_channels(int64_t channels, int64_t pixels, int64_t batch, const float* input,
                    const float* factors, float* output) {
  constexpr int64_t kGrain = 1 << 14;  // floats
  parallel_for(channels, std::max<int64_t>(1, kGrain / (pixels * batch)),
               [&](int64_t begin, int64_t end, int) {
                 HWY_DYNAMIC_DISPATCH(scale_range)
                 (channels, pixels * batch, batch, input, factors, output, begin, end);
               });
}

}  // namespace edgeprune::panels
#endif
