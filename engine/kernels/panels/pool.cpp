#include "engine/kernels/panels/pool.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/columns.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/pool.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::Vec;

/// Channels [begin, end).
void pool_channels(const PanelLayout& in, const PanelLayout& out, const float* input, float* output,
                   int64_t begin, int64_t end) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t batch = out.columns, pixels = in.columns / batch;
  const float scale = 1.0f / static_cast<float>(pixels);
#if HWY_TARGET != HWY_SCALAR
  if (batch == 1 &&
      pixels == 4) {  // blocks of four lanes: a channel's pixels, and its four columns
    int64_t i = 4 * begin;
    for (; i + lanes <= 4 * end; i += lanes) {
      const Vec x = hn::LoadU(d, input + i);
      const Vec pairs = hn::Add(x, hn::Shuffle2301(x));
      const Vec sums = hn::Add(pairs, hn::Shuffle1032(pairs));
      hn::StoreU(hn::Mul(sums, hn::Set(d, scale)), d, output + i);
    }
    begin = i / 4;
  }
#endif
  const Panels<const float> inputs(input, in);
  const Panels<float> outputs(output, out);
  const bool images_share_panels = batch % lanes == 0 || PanelLayout::kWidth % batch == 0;
  for (int64_t c = begin; c < end; ++c) {
    const Columns x = inputs.channel(c);
    const Columns y = outputs.channel(c);
    if (batch == 1) {
      Vec sum = hn::Zero(d);
      for (int64_t p = 0; p < pixels; p += in.width()) {
        const float* panel = x.at(p);
        simd::HWY_NAMESPACE::for_each_vector(
            std::min(in.width(), pixels - p),
            [&](auto access, int64_t i) HWY_ATTR { sum = hn::Add(sum, access.load(panel + i)); });
      }
      *y.at(0) = hn::GetLane(hn::SumOfLanes(d, sum)) * scale;
    } else if (images_share_panels) {
      simd::HWY_NAMESPACE::for_each_vector(batch, [&](auto access, int64_t n) HWY_ATTR {
        Vec sum = access.load(x.at(n));
        for (int64_t p = 1; p < pixels; ++p) sum = hn::Add(sum, access.load(x.at(p * batch + n)));
        access.store(hn::Mul(sum, hn::Set(d, scale)), y.at(n));
      });
    } else {
      for (int64_t n = 0; n < batch; ++n) {
        float sum = 0;
        for (int64_t p = 0; p < pixels; ++p) sum += *x.at(p * batch + n);
        *y.at(n) = sum * scale;
      }
    }
  }
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(pool_channels);

void global_average_pool(int64_t channels, int64_t pixels, int64_t batch, const float* input,
                         float* output) {
  constexpr int64_t kGroup = 64;  // channels; vectors of them start at the same ones on any threads
  const PanelLayout in{channels, pixels * batch}, out{channels, batch};
  parallel_for((channels + kGroup - 1) / kGroup, 1, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(pool_channels)
    (in, out, input, output, begin * kGroup, std::min(end * kGroup, channels));
  });
}

}  // namespace edgeprune::panels
#endif
