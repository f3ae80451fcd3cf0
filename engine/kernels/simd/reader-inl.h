// Reading a tensor through a batch norm (engine/kernels/normalized.h); included once per
// instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_READER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_READER_INL_H_
#undef EDGEPRUNE_READER_INL_H_
#else
#define EDGEPRUNE_READER_INL_H_
#endif

#include <algorithm>

#include "engine/kernels/normalized.h"
#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

// A reader gives the vector at (row, c), for coefficients(access, c).

struct PlainReader {
  const float* data;
  int64_t channels;
  struct Coefficients {};
  template <typename Access>
  HWY_INLINE Coefficients coefficients(const Access&, int64_t) const {
    return {};
  }
  template <typename Access>
  HWY_INLINE Vec read(const Access& access, const Coefficients&, int64_t row, int64_t c) const {
    return access.load(data + row * channels + c);
  }
  HWY_INLINE void prefetch(int64_t row, int64_t c) const {
    __builtin_prefetch(data + row * channels + c);
  }
};

template <typename Activate>
struct NormalizedReader {
  Normalized tensor;
  int64_t channels;
  Activate activate;
  struct Coefficients {
    Vec scale, shift;
  };
  template <typename Access>
  HWY_INLINE Coefficients coefficients(const Access& access, int64_t c) const {
    return {access.load(tensor.scale + c), access.load(tensor.shift + c)};
  }
  template <typename Access>
  HWY_INLINE Vec read(const Access& access, const Coefficients& k, int64_t row, int64_t c) const {
    const Vec x = access.load(tensor.data + row * channels + c);
    return activate(hn::MulAdd(x, k.scale, k.shift));
  }
  HWY_INLINE void prefetch(int64_t row, int64_t c) const {
    __builtin_prefetch(tensor.data + row * channels + c);
  }
};

template <typename Activate>
struct GradientReader {
  NormalizedGradient grad;
  int64_t channels;
  Activate activate;
  struct Coefficients {
    Vec scale, shift, a, b, c;
  };
  template <typename Access>
  HWY_INLINE Coefficients coefficients(const Access& access, int64_t c) const {
    return {access.load(grad.output.scale + c), access.load(grad.output.shift + c),
            access.load(grad.a + c), access.load(grad.b + c), access.load(grad.c + c)};
  }
  template <typename Access>
  HWY_INLINE Vec read(const Access& access, const Coefficients& k, int64_t row, int64_t c) const {
    const Vec x = access.load(grad.output.data + row * channels + c);
    const Vec z = hn::MulAdd(x, k.scale, k.shift);
    const Vec g = activate.gradient(access.load(grad.data + row * channels + c), z);
    return hn::MulAdd(k.a, g, hn::MulAdd(k.b, x, k.c));
  }
  HWY_INLINE void prefetch(int64_t row, int64_t c) const {
    __builtin_prefetch(grad.data + row * channels + c);
    __builtin_prefetch(grad.output.data + row * channels + c);
  }
};

/// body(reader), with the reader that fits.
template <typename Body>
HWY_INLINE void with_reader(const Normalized& tensor, int64_t channels, const Body& body) {
  if (tensor.scale == nullptr) return body(PlainReader{tensor.data, channels});
  with_activation(form_of(tensor.activation), [&](auto activate) HWY_ATTR {
    body(NormalizedReader<decltype(activate)>{tensor, channels, activate});
  });
}
template <typename Body>
HWY_INLINE void with_reader(const NormalizedGradient& grad, int64_t channels, const Body& body) {
  if (grad.a == nullptr) return body(PlainReader{grad.data, channels});
  with_activation(form_of(grad.output.activation), [&](auto activate) HWY_ATTR {
    body(GradientReader<decltype(activate)>{grad, channels, activate});
  });
}

/// store(access, row, c, vector) for each vector of rows [begin, end), in the order of memory, which
/// the processor recognises as a stream (rows side by side read their coefficients less often, but
/// cost a tenth of the speed), and some 4 KB ahead. Reader and store are taken by value: for all that
/// a compiler knows, a stored vector may change what a reference refers to, so that it would read
/// that again each time.
template <typename Reader, typename Store>
HWY_INLINE void read_rows(const Reader reader, int64_t begin, int64_t end, const Store store) {
  const int64_t ahead = std::max<int64_t>(1, 1024 / reader.channels);
  for (int64_t row = begin; row < end; ++row) {
    for_each_vector(reader.channels, [&](auto access, int64_t c) HWY_ATTR {
      reader.prefetch(row + ahead, c);
      store(access, row, c, reader.read(access, reader.coefficients(access, c), row, c));
    });
  }
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
