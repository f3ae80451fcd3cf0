// What the depthwise kernels share; included once per instruction set by Highway's
// foreach_target.h, hence no #pragma once.
#if defined(EDGEPRUNE_PANEL_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_PANEL_DEPTHWISE_INL_H_
#undef EDGEPRUNE_PANEL_DEPTHWISE_INL_H_
#else
#define EDGEPRUNE_PANEL_DEPTHWISE_INL_H_
#endif

#include "engine/kernels/panels/depthwise_layer.h"
#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::activate;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::Vec;

/// One channel's columns. (PanelLayout::offset() without its divisions: narrow panels are alone.)
template <typename T>
struct Columns {
  T* data;
  int64_t panel;  ///< floats in one

  Columns(T* panels, const PanelLayout& layout, int64_t channel)
      : data(panels + channel * layout.width()), panel(layout.channels * layout.width()) {}
  HWY_INLINE T* at(int64_t column) const {
    static_assert(PanelLayout::kWidth == 64);
    return data + (column >> 6) * panel + (column & 63);
  }
};

/// The taps and bias of one channel in all lanes, or of one channel a lane. Every kernel adds the
/// taps to the bias in their order, so that all give the same results, bit for bit.
struct Filter {
  Vec bias, taps[9];

  static HWY_INLINE Filter of_channel(const DepthwiseLayer& layer, int64_t channel) {
    const F32 d;
    Filter filter;
    filter.bias = hn::Set(d, layer.bias[channel]);
#pragma GCC unroll 9
    for (int k = 0; k < 9; ++k) {
      filter.taps[k] = hn::Set(d, layer.taps[k * layer.shape.in_channels + channel]);
    }
    return filter;
  }
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
