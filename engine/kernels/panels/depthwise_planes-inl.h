// Depthwise kernels for maps of any size and any number of images: a channel's columns stand in one
// piece, a plane, so that the inputs of a vector of outputs are contiguous for each tap, whatever
// rows they lie in. Included once per instruction set by Highway's foreach_target.h, hence no
// #pragma once.
#if defined(EDGEPRUNE_DEPTHWISE_PLANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_PLANES_INL_H_
#undef EDGEPRUNE_DEPTHWISE_PLANES_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_PLANES_INL_H_
#endif

#include <algorithm>

#include "engine/kernels/panels/depthwise-inl.h"
#include "engine/kernels/panels/planes.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// Which outputs stand at the left or the right border of the map: a bit a column, whole bytes a
/// vector.
class BorderBits {
 public:
  static constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(F32()));
  static constexpr int64_t kBytes = std::max<int64_t>(1, kLanes / 8);

  /// Of a map of that many columns in rows of `row`, of whose pixels each has `pixel` columns, from
  /// column `begin`, a multiple of the panels' width, to `end`. `bits`: size() bytes.
  BorderBits(int64_t row, int64_t pixel, int64_t begin, int64_t end, uint8_t* bits)
      : begin_(begin), left_(bits), right_(bits + size(end - begin) / 2) {
    std::fill_n(bits, size(end - begin), uint8_t{0});
    for (int64_t first = begin / row * row; first < end; first += row) {
      for (int64_t n = 0; n < pixel; ++n) {
        set(left_, first + n, end);
        set(right_, first + row - pixel + n, end);
      }
    }
  }
  /// Bytes for both borders; a vector's bits are read eight bytes at a time.
  static int64_t size(int64_t columns) { return 2 * ((columns / kLanes + 1) * kBytes + 8); }

  auto left(int64_t column) const { return load(left_, column); }
  auto right(int64_t column) const { return load(right_, column); }

 private:
  void set(uint8_t* bits, int64_t column, int64_t end) const {
    if (column < begin_ || column >= end) return;
    const int64_t lane = (column - begin_) % kLanes;
    bits[(column - begin_) / kLanes * kBytes + lane / 8] |= static_cast<uint8_t>(1 << lane % 8);
  }
  HWY_INLINE hn::Mask<F32> load(const uint8_t* bits, int64_t column) const {
    return hn::LoadMaskBits(F32(), bits + (column - begin_) / kLanes * kBytes);
  }

  int64_t begin_;
  uint8_t *left_, *right_;
};

/// Sums of the taps of the left, the middle and the right column: those that fall on the padding
/// beside the map are what the neighbouring row has there, and are left out as a whole.
struct WindowSums {
  Vec left, middle, right;
};

/// load(row of taps): the inputs that it meets
template <typename Load>
HWY_INLINE WindowSums sum_window(const Filter& filter, const Load& load) {
  const Vec* taps = filter.taps;
  const auto [left, middle, right] = load(0);
  WindowSums sums{hn::Mul(left, taps[0]), hn::MulAdd(middle, taps[1], filter.bias),
                  hn::Mul(right, taps[2])};
#pragma GCC unroll 2
  for (int dy = 1; dy < 3; ++dy) {
    const auto [l, m, r] = load(dy);
    sums.left = hn::MulAdd(l, taps[3 * dy], sums.left);
    sums.middle = hn::MulAdd(m, taps[3 * dy + 1], sums.middle);
    sums.right = hn::MulAdd(r, taps[3 * dy + 2], sums.right);
  }
  return sums;
}

/// Stride 1: outputs [begin, end) from the plane whose column 0 is at `x`.
template <Activation kActivation>
HWY_INLINE void convolve_flat(const DepthwiseLayer& layer, const Filter& filter,
                              const BorderBits& borders, const float* x, int64_t begin, int64_t end,
                              const Columns<float>& output) {
  const int64_t pixel = layer.shape.batch, row = layer.shape.in_width * pixel;
  const int64_t width = layer.out().width();
  const auto convolve = [&](auto access, int64_t column, float* to) HWY_ATTR {
    const WindowSums sums = sum_window(filter, [&](int dy) HWY_ATTR {
      const F32 d;
      const float* at = x + column + (dy - 1) * row;
      return WindowSums{hn::LoadU(d, at - pixel), hn::LoadU(d, at), hn::LoadU(d, at + pixel)};
    });
    const Vec inner = hn::Add(hn::IfThenZeroElse(borders.left(column), sums.left), sums.middle);
    const Vec sum = hn::Add(hn::IfThenZeroElse(borders.right(column), sums.right), inner);
    access.store(activate<kActivation>(sum), to);
  };
  for (int64_t panel = begin; panel < end; panel += width) {
    float* to = output.data + (panel - begin) / width * output.panel;
    const int64_t count = std::min(end - panel, width);
    for (int64_t i = 0; i < count; i += BorderBits::kLanes) {
      if (i + BorderBits::kLanes <= width) {
        convolve(simd::HWY_NAMESPACE::Full{}, panel + i, to + i);
      } else {
        convolve(simd::HWY_NAMESPACE::Partial(static_cast<size_t>(width)), panel + i, to + i);
      }
    }
  }
}

/// Stride 2, one row of outputs, pixels [begin, end) of it, to `to`; may write a vector too much.
/// `x`: the first pixel of the row of inputs that the middle row of taps meets.
template <Activation kActivation>
HWY_INLINE void convolve_every_other(const Conv2dShape& s, const Filter& filter, const float* x,
                                     int64_t begin, int64_t end, float* to) {
  const int64_t row = s.in_width * s.batch;
#if HWY_TARGET != HWY_SCALAR
  if (s.batch == 1) {
    const F32 d;
    using I32 = hn::RebindToSigned<F32>;
    constexpr int64_t kLanes = BorderBits::kLanes;
    for (int64_t w = begin; w < end; w += kLanes) {
      const WindowSums sums = sum_window(filter, [&](int dy) HWY_ATTR {
        const float* at = x + 2 * w + (dy - 1) * row;
        const Vec low = hn::LoadU(d, at), high = hn::LoadU(d, at + kLanes);
        const Vec before = hn::LoadU(d, at - 1), behind = hn::LoadU(d, at + kLanes - 1);
        return WindowSums{hn::ConcatEven(d, behind, before), hn::ConcatEven(d, high, low),
                          hn::ConcatOdd(d, high, low)};
      });
      const auto lane = hn::Iota(I32(), 0);
      const auto place = hn::Add(hn::Set(I32(), static_cast<int32_t>(2 * w)), hn::Add(lane, lane));
      const auto left = hn::RebindMask(d, hn::Gt(place, hn::Zero(I32())));
      const auto right =
          hn::RebindMask(d, hn::Lt(place, hn::Set(I32(), static_cast<int32_t>(s.in_width - 1))));
      const Vec inner = hn::Add(hn::IfThenElseZero(left, sums.left), sums.middle);
      const Vec sum = hn::Add(hn::IfThenElseZero(right, sums.right), inner);
      hn::StoreU(activate<kActivation>(sum), d, to + w - begin);
    }
    return;
  }
#endif
  for (int64_t w = begin; w < end; ++w) {
    simd::HWY_NAMESPACE::for_each_vector(s.batch, [&](auto access, int64_t n) HWY_ATTR {
      const WindowSums sums = sum_window(filter, [&](int dy) HWY_ATTR {
        const float* at = x + 2 * w * s.batch + n + (dy - 1) * row;
        return WindowSums{access.load(at - s.batch), access.load(at), access.load(at + s.batch)};
      });
      const Vec inner = w == 0 ? sums.middle : hn::Add(sums.left, sums.middle);
      const Vec sum = 2 * w + 1 < s.in_width ? hn::Add(sums.right, inner) : inner;
      access.store(activate<kActivation>(sum), to + (w - begin) * s.batch + n);
    });
  }
}

/// Stride 2: outputs [begin, end), put together in `together`.
template <Activation kActivation>
HWY_INLINE void convolve_halved(const DepthwiseLayer& layer, const Filter& filter, const float* x,
                                int64_t begin, int64_t end, float* together,
                                const Columns<float>& output) {
  const Conv2dShape& s = layer.shape;
  const int64_t row = s.in_width * s.batch;
  const int64_t width = layer.out().width();
  // Whole pixels, from the first that has a column in here to the last.
  const int64_t first = begin / s.batch, last = (end + s.batch - 1) / s.batch;
  for (int64_t pixel = first; pixel < last;) {
    const int64_t oh = pixel / s.out_width(), stop = std::min(last, (oh + 1) * s.out_width());
    convolve_every_other<kActivation>(s, filter, x + 2 * oh * row, pixel - oh * s.out_width(),
                                      stop - oh * s.out_width(),
                                      together + pixel * s.batch - first * s.batch);
    pixel = stop;
  }
  const float* from = together + (begin - first * s.batch);
  for (int64_t panel = begin; panel < end; panel += width) {
    float* to = output.data + (panel - begin) / width * output.panel;
    simd::HWY_NAMESPACE::for_each_vector(
        std::min(end - panel, width), [&](auto access, int64_t i) HWY_ATTR {
          access.store(access.load(from + panel - begin + i), to + i);
        });
  }
}

/// Panels [first, last) of the outputs of the layer's channels; plane(c): where channel c's column
/// 0 is. `output`: the first of those panels.
template <Activation kActivation, typename GetPlane>
void convolve_planes(const DepthwiseLayer& layer, int64_t first, int64_t last,
                     const GetPlane& plane, float* scratch, float* output) {
  const Conv2dShape& s = layer.shape;
  const PanelLayout out = layer.out();
  const int64_t begin = first * out.width(), end = std::min(out.columns, last * out.width());
  const Filters filters(layer);
  const BorderBits borders(s.out_width() * s.batch, s.batch, begin, end,
                           reinterpret_cast<uint8_t*>(scratch));
  float* together = scratch + (BorderBits::size(end - begin) + 3) / 4;
  for (int64_t c = layer.begin; c < layer.end; ++c) {
    const Filter filter = filters.of_channel(c);
    const Columns<float> to{output + c * out.width(), out.channels * out.width()};
    const float* x = plane(c);
    if (s.stride == 1) {
      convolve_flat<kActivation>(layer, filter, borders, x, begin, end, to);
    } else {
      convolve_halved<kActivation>(layer, filter, x, begin, end, together, to);
    }
  }
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
