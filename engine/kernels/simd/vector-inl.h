// Per-target helpers; included once per instruction set by Highway's foreach_target.h, hence no
// #pragma once.
#if defined(EDGEPRUNE_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_VECTOR_INL_H_
#undef EDGEPRUNE_VECTOR_INL_H_
#else
#define EDGEPRUNE_VECTOR_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/simd/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;

/// Whole vectors.
struct Full {
  F32 d;
  HWY_INLINE Vec load(const float* p) const { return hn::LoadU(d, p); }
  HWY_INLINE void store(Vec v, float* p) const { hn::StoreU(v, d, p); }
};

/// The first few lanes of a vector: channel counts that are no multiple of the vector's length.
/// All lanes if more are asked for than there are. Other lanes read as zero; what lies behind in
/// memory is neither read nor written. (Shorter vectors than AVX2's have no masked loads and stores
/// of their own. Highway's for them read and write whole vectors, and so undo what another thread
/// writes next to this one's at the time.)
struct Partial {
  F32 d;
#if HWY_CAP_GE256
  hn::Mask<F32> mask;
  explicit Partial(size_t lanes) : mask(hn::FirstN(d, lanes)) {}
  HWY_INLINE Vec load(const float* p) const {
    return hn::MaskedLoad(mask, d, p);
  }
  HWY_INLINE void store(Vec v, float* p) const {
    hn::BlendedStore(v, mask, d, p);
  }
#else
  size_t lanes;
  explicit Partial(size_t count) : lanes(std::min(count, hn::Lanes(F32()))) {}
  HWY_INLINE Vec load(const float* p) const {
    HWY_ALIGN float values[hn::MaxLanes(F32())] = {};
    for (size_t i = 0; i < lanes; ++i) values[i] = p[i];
    return hn::Load(d, values);
  }
  HWY_INLINE void store(Vec v, float* p) const {
    HWY_ALIGN float values[hn::MaxLanes(F32())];
    hn::Store(v, d, values);
    for (size_t i = 0; i < lanes; ++i) p[i] = values[i];
  }
#endif
};

/// Calls body(access, c) for each vector of channels: access is Full, and Partial for what is left
/// over.
template <typename Body>
HWY_INLINE void for_each_vector(int64_t channels, const Body& body) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) body(Full{}, c);
  if (c < channels) body(Partial(static_cast<size_t>(channels - c)), c);
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
