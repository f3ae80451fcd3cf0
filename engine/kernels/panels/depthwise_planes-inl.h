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
#include "engine/kernels/panels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// Which outputs stand at the left or the right border of the map: a bit a column, whole bytes a
/// vector.
class BorderBits {
 public:
  static constexpr int64_t kBytes = std::max(1, kLanes / 8);

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

/// What the loops want to know of a layer, without divisions: Conv2dShape's would cost more than a
/// small map.
struct Map {
  explicit Map(const DepthwiseLayer& layer)
      : pixel(layer.shape.batch),
        width(layer.shape.in_width),
        out_width(layer.shape.out_width()),
        row(width * pixel),
        columns(layer.out().columns),
        stride(layer.shape.stride),
        panel(layer.out().width()) {}
  int64_t pixel;             ///< columns of one: the batch
  int64_t width, out_width;  ///< pixels
  int64_t row;               ///< columns of one
  int64_t columns;           ///< of the output
  int64_t stride, panel;     ///< columns of an output panel
};

/// body(access, column, where to) for every vector of the outputs [begin, end), which begin a panel.
template <typename Body>
HWY_INLINE void for_each_vector_of_panels(int64_t begin, int64_t end, int64_t width,
                                          const Columns<float>& output, const Body& body) {
  if (width < kLanes) {  // one panel, narrower than a vector
    return body(simd::HWY_NAMESPACE::Partial(static_cast<size_t>(width)), begin, output.data);
  }
  for (int64_t panel = begin; panel < end; panel += width) {
    float* to = output.data + (panel - begin) / width * output.panel;
    const int64_t count = std::min(end - panel, width);
    for (int64_t i = 0; i < count; i += kLanes) {
      body(simd::HWY_NAMESPACE::Full{}, panel + i, to + i);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR

/// Vectors moved by a lane, what is moved in taken from the neighbouring vector.
class Neighbours {
  using I32 = hn::RebindToSigned<F32>;

 public:
  Neighbours()
      : before_(rotation(-1)),
        behind_(rotation(1)),
        first_(hn::FirstN(F32(), 1)),
        all_but_last_(hn::FirstN(F32(), kLanes - 1)) {}
  HWY_INLINE Vec to_right(Vec v) const { return hn::TableLookupLanes(v, before_); }
  HWY_INLINE Vec to_left(Vec v) const { return hn::TableLookupLanes(v, behind_); }
  /// Of vectors moved by to_right(), the first lane by the one before.
  HWY_INLINE Vec with_before(Vec moved, Vec before) const {
    return hn::IfThenElse(first_, before, moved);
  }
  /// Of vectors moved by to_left(), the last lane by the one behind.
  HWY_INLINE Vec with_behind(Vec moved, Vec behind) const {
    return hn::IfThenElse(all_but_last_, moved, behind);
  }

 private:
  using Indices = decltype(hn::IndicesFromVec(F32(), hn::Zero(I32())));
  static Indices rotation(int by) {
    const auto lanes = hn::And(hn::Iota(I32(), by), hn::Set(I32(), hn::MaxLanes(F32()) - 1));
    return hn::IndicesFromVec(F32(), lanes);
  }
  Indices before_, behind_;
  hn::Mask<F32> first_, all_but_last_;
};

/// Compilers make a load of its own for every use of a vector that is only read, and each would
/// straddle cache lines.
HWY_INLINE Vec loaded_once(const float* from) {
  Vec v = hn::LoadU(F32(), from);
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128  // whose vectors are arrays
  asm("" : "+v"(v.raw));
#endif
  return v;
}

/// One image, stride 1: outputs [begin, end) from the plane whose column 0 is at `x`. All sums are
/// taken of the inputs above, at and below the outputs' own places, and those of the left and right
/// taps are moved by a lane then: a third of the loads, which would straddle cache lines.
template <Activation kActivation>
HWY_INLINE void convolve_moving(const Map& map, const Filter& filter, const BorderBits& borders,
                                const float* x, int64_t begin, int64_t end,
                                const Columns<float>& output) {
  const int64_t row = map.row;
  const Neighbours neighbours;
  const auto sums_at = [&](int64_t column) HWY_ATTR {
    WindowSums sums = sum_window(filter, [&](int dy) HWY_ATTR {
      const Vec v = loaded_once(x + column + (dy - 1) * row);
      return WindowSums{v, v, v};
    });
    sums.left = neighbours.to_right(sums.left);
    sums.right = neighbours.to_left(sums.right);
    return sums;
  };
  // Neither the map's first output nor its last has a neighbour beyond.
  Vec before = begin == 0 ? hn::Zero(F32()) : sums_at(begin - kLanes).left;
  const int64_t stop = end == map.columns ? end : end + 1;
  WindowSums sums = sums_at(begin);
  const auto convolve = [&](auto access, int64_t column, float* to) HWY_ATTR {
    const WindowSums next = column + kLanes < stop ? sums_at(column + kLanes) : sums;
    const Vec left = neighbours.with_before(sums.left, before);
    const Vec right = neighbours.with_behind(sums.right, next.right);
    const Vec inner = hn::Add(hn::IfThenZeroElse(borders.left(column), left), sums.middle);
    const Vec sum = hn::Add(hn::IfThenZeroElse(borders.right(column), right), inner);
    access.store(activate<kActivation>(sum), to);
    before = sums.left;
    sums = next;
  };
  for_each_vector_of_panels(begin, end, map.panel, output, convolve);
}

#endif

/// Stride 1, any number of images.
template <Activation kActivation>
HWY_INLINE void convolve_flat(const Map& map, const Filter& filter, const BorderBits& borders,
                              const float* x, int64_t begin, int64_t end,
                              const Columns<float>& output) {
#if HWY_TARGET != HWY_SCALAR
  if (map.pixel == 1) {
    return convolve_moving<kActivation>(map, filter, borders, x, begin, end, output);
  }
#endif
  const int64_t pixel = map.pixel, row = map.row;
  for_each_vector_of_panels(
      begin, end, map.panel, output, [&](auto access, int64_t column, float* to) HWY_ATTR {
        const WindowSums sums = sum_window(filter, [&](int dy) HWY_ATTR {
          const F32 d;
          const float* at = x + column + (dy - 1) * row;
          return WindowSums{hn::LoadU(d, at - pixel), hn::LoadU(d, at), hn::LoadU(d, at + pixel)};
        });
        const Vec inner = hn::Add(hn::IfThenZeroElse(borders.left(column), sums.left), sums.middle);
        const Vec sum = hn::Add(hn::IfThenZeroElse(borders.right(column), sums.right), inner);
        access.store(activate<kActivation>(sum), to);
      });
}

/// Stride 2, one row of outputs, pixels [begin, end) of it, to `to`; may write a vector too much.
/// `x`: the first pixel of the row of inputs that the middle row of taps meets.
template <Activation kActivation>
HWY_INLINE void convolve_every_other(const Map& map, const Filter& filter, const float* x,
                                     int64_t begin, int64_t end, float* to) {
  const int64_t row = map.row, width = map.width, pixel = map.pixel;
#if HWY_TARGET != HWY_SCALAR
  if (pixel == 1) {
    const F32 d;
    const Neighbours neighbours;
    const auto sums_at = [&](int64_t w) HWY_ATTR {
      WindowSums sums = sum_window(filter, [&](int dy) HWY_ATTR {
        const float* at = x + 2 * w + (dy - 1) * row;
        const Vec low = hn::LoadU(d, at), high = hn::LoadU(d, at + kLanes);
        const Vec odd = hn::ConcatOdd(d, high, low);
        return WindowSums{odd, hn::ConcatEven(d, high, low), odd};
      });
      sums.left = neighbours.to_right(sums.left);
      return sums;
    };
    // Left taps of an output are odd inputs as the right ones of the output before.
    Vec before = begin == 0 ? hn::Zero(d) : sums_at(begin - kLanes).left;
    for (int64_t w = begin; w < end; w += kLanes) {
      WindowSums sums = sums_at(w);
      if (width % 2 != 0 && width < 2 * (w + kLanes)) {  // the last right tap is beside the map
        sums.right =
            hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(width / 2 - w)), sums.right);
      }
      const Vec left = neighbours.with_before(sums.left, before);
      const Vec sum = hn::Add(hn::Add(left, sums.middle), sums.right);
      hn::StoreU(activate<kActivation>(sum), d, to + w - begin);
      before = sums.left;
    }
    return;
  }
#endif
  for (int64_t w = begin; w < end; ++w) {
    simd::HWY_NAMESPACE::for_each_vector(pixel, [&](auto access, int64_t n) HWY_ATTR {
      const WindowSums sums = sum_window(filter, [&](int dy) HWY_ATTR {
        const float* at = x + 2 * w * pixel + n + (dy - 1) * row;
        return WindowSums{access.load(at - pixel), access.load(at), access.load(at + pixel)};
      });
      const Vec inner = w == 0 ? sums.middle : hn::Add(sums.left, sums.middle);
      const Vec sum = 2 * w + 1 < width ? hn::Add(sums.right, inner) : inner;
      access.store(activate<kActivation>(sum), to + (w - begin) * pixel + n);
    });
  }
}

#if HWY_TARGET != HWY_SCALAR

/// One image, stride 2, rows of outputs that fit a vector: those from `oh` on in which outputs up to
/// `end` lie. Of three rows of inputs, one is that of the output above. May write a vector too much.
template <Activation kActivation>
HWY_INLINE void convolve_narrow(const Map& map, const Filter& filter, const float* x, int64_t oh,
                                int64_t end, float* to) {
  const F32 d;
  const Vec* taps = filter.taps;
  const Neighbours neighbours;
  const auto inside = hn::FirstN(d, static_cast<size_t>(map.width / 2));  // of the right taps
  const auto row = [&](int64_t h) HWY_ATTR {
    const Vec low = hn::LoadU(d, x + h * map.row), high = hn::LoadU(d, x + h * map.row + kLanes);
    const Vec odd = hn::ConcatOdd(d, high, low);
    return WindowSums{odd, hn::ConcatEven(d, high, low), odd};
  };
  WindowSums above = row(2 * oh - 1);
  for (; oh * map.out_width < end; ++oh, to += map.out_width) {
    const WindowSums at = row(2 * oh), below = row(2 * oh + 1);
    const WindowSums rows[] = {above, at, below};
    WindowSums sums{hn::Zero(d), filter.bias, hn::Zero(d)};
#pragma GCC unroll 3
    for (int dy = 0; dy < 3; ++dy) {
      sums.left = hn::MulAdd(rows[dy].left, taps[3 * dy], sums.left);
      sums.middle = hn::MulAdd(rows[dy].middle, taps[3 * dy + 1], sums.middle);
      sums.right = hn::MulAdd(rows[dy].right, taps[3 * dy + 2], sums.right);
    }
    const Vec left = neighbours.with_before(neighbours.to_right(sums.left), hn::Zero(d));
    const Vec inner = hn::Add(left, sums.middle);
    const Vec sum = hn::Add(inner, hn::IfThenElseZero(inside, sums.right));
    hn::StoreU(activate<kActivation>(sum), d, to);
    above = below;
  }
}

#endif

/// Stride 2: outputs [begin, end) in one piece from `to` on. May write less than a vector in front
/// of it.
template <Activation kActivation>
HWY_INLINE void convolve_halved(const Map& map, const Filter& filter, const float* x, int64_t begin,
                                int64_t end, float* to) {
  int64_t oh = begin / map.out_width, w = begin - oh * map.out_width;
#if HWY_TARGET != HWY_SCALAR
  if (map.pixel == 1 && map.out_width <= kLanes) {
    return convolve_narrow<kActivation>(map, filter, x, oh, end, to - w);
  }
#endif
  for (int64_t done = begin; done < end; ++oh, w = 0) {
    const int64_t count = std::min(end - done, map.out_width - w);
    convolve_every_other<kActivation>(map, filter, x + 2 * oh * map.row, w, w + count,
                                      to + (done - begin) * map.pixel);
    done += count;
  }
}

/// Panels of the outputs of a layer, from planes. Channels are taken a few at a time, one step after
/// the other, so that no vector is read right behind the stores that wrote its pieces.
template <Activation kActivation>
class PlanesKernel {
 public:
  static constexpr int64_t kChannels = 8;

  /// Panels [first, last). scratch: scratch_size().
  PlanesKernel(const DepthwiseLayer& layer, int64_t first, int64_t last, float* scratch)
      : map_(layer),
        out_(layer.out()),
        begin_(first * out_.width()),
        end_(std::min(out_.columns, last * out_.width())),
        filters_(layer),
        borders_(layer.shape.out_width() * layer.shape.batch, layer.shape.batch, begin_, end_,
                 reinterpret_cast<uint8_t*>(scratch)),
        together_(scratch + border_floats(end_ - begin_) + kLanes) {}
  static int64_t scratch_size(const Conv2dShape& s, int64_t columns) {
    return border_floats(columns) +
           (s.stride == 1 ? 0 : kLanes + kChannels * pieces_size(s.batch, columns));
  }

  /// Channels [c, stop), at most kChannels; the first one's column 0 is at x, the others' planes
  /// `plane` floats apart. `output`: the first panel.
  void convolve(int64_t c, int64_t stop, const float* x, int64_t plane, float* output) const {
    const auto columns_of = [&](int64_t channel) {
      return Columns<float>{output + channel * map_.panel, out_.channels * map_.panel};
    };
    if (map_.stride == 1) {
      for (int64_t i = c; i < stop; ++i, x += plane) {
        convolve_flat<kActivation>(map_, filters_.of_channel(i), borders_, x, begin_, end_,
                                   columns_of(i));
      }
      return;
    }
    // Whole pixels, from the first that has a column in here to the last.
    const int64_t first = begin_ / map_.pixel, last = (end_ + map_.pixel - 1) / map_.pixel;
    const int64_t piece = pieces_size(map_.pixel, end_ - begin_);
    for (int64_t i = c; i < stop; ++i, x += plane) {
      convolve_halved<kActivation>(map_, filters_.of_channel(i), x, first, last,
                                   together_ + (i - c) * piece);
    }
    const float* from = together_ + (begin_ - first * map_.pixel);
    for (int64_t i = c; i < stop; ++i, from += piece) {
      for_each_vector_of_panels(begin_, end_, map_.panel, columns_of(i),
                                [&](auto access, int64_t column, float* to) HWY_ATTR {
                                  access.store(access.load(from + (column - begin_)), to);
                                });
    }
  }

 private:
  static int64_t border_floats(int64_t columns) {
    return (BorderBits::size(columns) / 4 + 16) / 16 * 16;
  }
  /// With the pixels that overlap the ends and a vector too much.
  static int64_t pieces_size(int64_t pixel, int64_t columns) {
    return (columns + 2 * pixel + 2 * kLanes) / 16 * 16 + 16;
  }

  Map map_;
  PanelLayout out_;
  int64_t begin_, end_;  ///< columns
  Filters filters_;
  BorderBits borders_;
  float* together_;
};

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
