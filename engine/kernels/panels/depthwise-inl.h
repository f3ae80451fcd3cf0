// What the depthwise kernels share; included once per instruction set by Highway's
// foreach_target.h, hence no #pragma once.
#if defined(EDGEPRUNE_PANEL_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_PANEL_DEPTHWISE_INL_H_
#undef EDGEPRUNE_PANEL_DEPTHWISE_INL_H_
#else
#define EDGEPRUNE_PANEL_DEPTHWISE_INL_H_
#endif

#include "engine/kernels/panels/columns.h"
#include "engine/kernels/panels/depthwise_layer.h"
#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::Vec;

template <Activation kActivation>
HWY_INLINE Vec activate(Vec v) {
  simd::HWY_NAMESPACE::with_activation(form_of(kActivation),
                                       [&](const auto& activation) HWY_ATTR { v = activation(v); });
  return v;
}

/// The bias and taps of one channel in all lanes, or of one channel a lane.
struct Filter {
  Vec bias, taps[9];
};

class Filters {
 public:
  explicit Filters(const DepthwiseLayer& layer)
      : taps_(layer.taps), bias_(layer.bias), channels_(layer.shape.in_channels) {}
  /// load(values of the channels)
  template <typename Load>
  HWY_INLINE Filter by(const Load& load) const {
    Filter filter;
    filter.bias = load(bias_);
#pragma GCC unroll 9
    for (int k = 0; k < 9; ++k) filter.taps[k] = load(taps_ + k * channels_);
    return filter;
  }
  HWY_INLINE Filter of_channel(int64_t c) const {
    return by([c](const float* values) HWY_ATTR { return hn::Set(F32(), values[c]); });
  }

 private:
  const float *taps_, *bias_;
  int64_t channels_;
};

#if HWY_TARGET != HWY_SCALAR

/// Lane i of the result is lane i + by of v, and zero if that lies in another group of `period`
/// lanes.
class Slide {
  using I32 = hn::RebindToSigned<F32>;

 public:
  Slide(int by, int period)
      : indices_(hn::IndicesFromVec(
            F32(), hn::And(hn::Iota(I32(), by), hn::Set(I32(), hn::MaxLanes(F32()) - 1)))) {
    const auto lane = hn::And(hn::Iota(I32(), 0), hn::Set(I32(), period - 1));
    const auto from = hn::Add(lane, hn::Set(I32(), by));
    inside_ = hn::RebindMask(
        F32(), hn::And(hn::Gt(from, hn::Set(I32(), -1)), hn::Lt(from, hn::Set(I32(), period))));
  }
  HWY_INLINE Vec operator()(Vec v) const {
    return hn::IfThenElseZero(inside_, hn::TableLookupLanes(v, indices_));
  }

 private:
  decltype(hn::IndicesFromVec(F32(), hn::Zero(I32()))) indices_;
  hn::Mask<F32> inside_;
};

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
