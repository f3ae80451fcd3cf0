#include "engine/sparse/sparse_conv2d.h"

#include <algorithm>
#include <array>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/sparse/spmm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/sparse/sparse_conv2d.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using panels::HWY_NAMESPACE::kLanes;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::Full;
using simd::HWY_NAMESPACE::Partial;
using simd::HWY_NAMESPACE::Vec;

constexpr int64_t kMostColumns = PanelLayout::kWidth;

HWY_INLINE void turn(Vec* block) {
#if HWY_TARGET != HWY_SCALAR
  panels::HWY_NAMESPACE::transpose(block);
#else
  (void)block;
#endif
}

/// body(access, first, count) for vectors [begin, end) of channels.
template <typename Body>
HWY_INLINE void for_vectors(int64_t channels, int64_t begin, int64_t end, const Body& body) {
  for (int64_t c = begin * kLanes; c < std::min(channels, end * kLanes); c += kLanes) {
    const int64_t count = std::min<int64_t>(kLanes, channels - c);
    if (count == kLanes) body(Full{}, c, count);
    if (count < kLanes) body(Partial(static_cast<size_t>(count)), c, count);
  }
}

/// One line of a phase, of `count` channels from input and `to` on; x: of the input, its first column's.
/// Whole vectors are written: what overhangs is the next line's, which is written later.
template <class Access>
HWY_INLINE void pad_line(const PaddedMap& map, const Access& access, const float* input,
                         bool exists, int64_t x, int64_t count, float* to) {
  const Conv2dShape& s = map.shape;
  const int64_t image = s.in_height * s.in_width * s.in_channels;
  int64_t n = 0;
  for (int64_t j = 0; j < map.line; j += kLanes) {
    Vec block[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
      const bool inside = exists && x >= 0 && x < s.in_width;
      block[i] = inside ? access.load(input + n * image + x * s.in_channels) : hn::Zero(F32());
      if (++n == map.images) n = 0, x += s.stride;
    }
    turn(block);
    for (int64_t i = 0; i < count; ++i) hn::StoreU(block[i], F32(), to + i * map.channel + j);
  }
}

/// Vectors [begin, end) of the channels.
void pad_channels(const PaddedMap& map, const float* input, float* planes, int64_t begin,
                  int64_t end) {
  const Conv2dShape& s = map.shape;
  for_vectors(s.in_channels, begin, end,
              [&](const auto& access, int64_t c, int64_t count) HWY_ATTR {
                float* to = planes + c * map.channel;
                for (int64_t py = 0; py < map.phases; ++py) {
                  for (int64_t px = 0; px < map.phases; ++px) {
                    for (int64_t row = 0; row < map.rows; ++row, to += map.line) {
                      const int64_t y = row * s.stride + py - s.padding;
                      const bool exists = y >= 0 && y < s.in_height;
                      const float* line = input + (exists ? y : 0) * s.in_width * s.in_channels + c;
                      pad_line(map, access, line, exists, px - s.padding, count, to);
                    }
                  }
                }
              });
}

/// What taps [first, last) read for the `columns` of the output from `column` on, to rows of `width`
/// floats.
void gather_taps(const PaddedMap& map, const float* planes, int64_t column, int64_t columns,
                 int64_t first, int64_t last, int64_t width, float* to) {
  struct Piece {
    int64_t from, to;
  };
  constexpr int64_t kPiece = 16;
  std::array<Piece, kMostColumns> pieces;
  size_t count = 0;
  const Conv2dShape& s = map.shape;
  const int64_t line = s.out_width() * map.images;
  for (int64_t q = column; q < column + columns;) {
    const int64_t start = q % line, end = std::min(line - start, column + columns - q);
    for (int64_t i = 0; i < end; i += kPiece) {
      pieces[count++] = {q / line * map.line + start + i, q - column + i};
    }
    q += end;
  }
  const hn::CappedTag<float, kPiece> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), window = s.kernel * s.kernel;
  // Whole pieces are written: what overhangs is the next rows', which are written later. Behind the last
  // ones are another thread's.
  HWY_ALIGN float aside[kMostColumns + kPiece];
  for (int64_t tap = first; tap < last; ++tap) {
    const int64_t y = tap % window / s.kernel, x = tap % s.kernel;
    const float* from = planes + tap / window * map.channel +
                        (y % s.stride * map.phases + x % s.stride) * map.plane +
                        y / s.stride * map.line + x / s.stride * map.images;
    const bool at_end = (last - tap - 1) * width < kPiece;
    float* row = at_end ? aside : to + tap * width;
    for (size_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < kPiece; j += lanes) {
        hn::StoreU(hn::LoadU(d, from + pieces[i].from + j), d, row + pieces[i].to + j);
      }
    }
    if (at_end) std::copy_n(aside, columns, to + tap * width);
  }
}

/// Vectors [begin, end) of a panel's channels to the output, with residual (may be null) and activation.
void scatter_panel(const PaddedMap& map, const float* panel, int64_t width, int64_t column,
                   int64_t columns, int64_t begin, int64_t end, const float* residual,
                   Activation activation, float* output) {
  const Conv2dShape& s = map.shape;
  std::array<int64_t, kMostColumns> at;
  for (int64_t i = 0; i < columns; ++i) {
    const int64_t pixel = (column + i) / map.images, image = (column + i) % map.images;
    at[static_cast<size_t>(i)] = (image * s.out_height() * s.out_width() + pixel) * s.out_channels;
  }
  simd::HWY_NAMESPACE::with_activation(form_of(activation), [&](const auto& activate) HWY_ATTR {
    for_vectors(
        s.out_channels, begin, end, [&](const auto& access, int64_t c, int64_t count) HWY_ATTR {
          for (int64_t j = 0; j < columns; j += kLanes) {
            Vec block[kLanes];
#pragma GCC unroll 16
            for (int i = 0; i < kLanes; ++i) {
              block[i] =
                  i < count ? hn::LoadU(F32(), panel + (c + i) * width + j) : hn::Zero(F32());
            }
            turn(block);
            for (int i = 0; i < std::min<int64_t>(kLanes, columns - j); ++i) {
              const int64_t to = at[static_cast<size_t>(j + i)] + c;
              Vec y = block[i];
              if (residual != nullptr) y = hn::Add(y, access.load(residual + to));
              access.store(activate(y), output + to);
            }
          }
        });
  });
}

int64_t lanes() {
  return kLanes;
}

}  // namespace edgeprune::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::sparse {

HWY_EXPORT(pad_channels);
HWY_EXPORT(gather_taps);
HWY_EXPORT(scatter_panel);
HWY_EXPORT(lanes);

namespace {

/// Whole vectors are read and written past the end.
constexpr int64_t kOverhang = 16;

int64_t vectors(int64_t channels) {
  const int64_t lanes = HWY_DYNAMIC_DISPATCH(lanes)();
  return (channels + lanes - 1) / lanes;
}

const Conv2dShape& ungrouped(const Conv2dShape& shape) {
  require(shape.groups == 1, "SparseConv2d", "expected a convolution of one group, got {}",
          shape.groups);
  return shape;
}

/// As many as fill panels, but no more than the caches hold.
int64_t images_together(const Conv2dShape& s) {
  constexpr int64_t kColumns = 1024, kMost = 16;
  const int64_t pixels = s.out_height() * s.out_width();
  int64_t images = std::clamp<int64_t>(kColumns / pixels, 1, std::min(kMost, s.batch));
  while (s.batch % images != 0) --images;
  return images;
}

}  // namespace

PaddedMap::PaddedMap(const Conv2dShape& whole, int64_t together)
    : shape(whole), images(together), phases(std::min(whole.stride, whole.kernel)) {
  const int64_t beyond = (shape.kernel - 1) / shape.stride;
  rows = shape.out_height() + beyond;
  line = (shape.out_width() + beyond) * images;
  plane = rows * line;
  // An odd number of cache lines, so that channels do not fall into the same few sets of a cache.
  channel = ((phases * phases * plane + kOverhang + 15) / 16 | 1) * 16;
}

SparseConv2d::SparseConv2d(const Conv2dShape& shape, const float* weights, const float* bias,
                           Activation activation)
    : map_(ungrouped(shape), images_together(shape)),
      activation_(activation),
      threads_(thread_count()),
      shared_(shape.batch / map_.images % threads_ != 0),
      taps_(shape.in_channels * shape.kernel * shape.kernel),
      panels_{taps_, map_.columns()},
      few_(shared_ && panels_.count() < 4 * threads_),
      weights_(CsrMatrix::from_dense(weights, shape.out_channels, taps_), panels_.columns),
      bias_(bias, bias + shape.out_channels) {}

int64_t SparseConv2d::own_size() const {
  const int64_t floats = (few_ ? panels_.count() : 1) * panels_.width();
  return ((taps_ + map_.shape.out_channels) * floats + kOverhang + 31) / 32 * 32;
}

int64_t SparseConv2d::scratch_size() const {
  return (shared_ ? 1 : threads_) * map_.size() + (few_ ? 1 : threads_) * own_size();
}

void SparseConv2d::run(const float* input, const float* residual, float* output,
                       float* scratch) const {
  const Conv2dShape& s = map_.shape;
  const int64_t groups = s.batch / map_.images;
  const int64_t in = s.input_count() / groups, out = s.output_count() / groups;
  const ThreadScope most(std::min(threads_, thread_count()));
  float* own = scratch + (shared_ ? 1 : threads_) * map_.size();
  const auto run_groups = [&](int64_t begin, int64_t end, int thread) {
    for (int64_t g = begin; g < end; ++g) {
      run_group(input + g * in, residual == nullptr ? nullptr : residual + g * out,
                output + g * out, scratch + thread * map_.size(), own + thread * own_size());
    }
  };
  if (shared_) return run_groups(0, groups, 0);
  parallel_for(groups, 1, [&](int64_t begin, int64_t end, int thread) {
    const ThreadScope one(1);
    run_groups(begin, end, thread);
  });
}

void SparseConv2d::run_group(const float* input, const float* residual, float* output,
                             float* planes, float* own) const {
  parallel_for(vectors(map_.shape.in_channels), 1, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(pad_channels)(map_, input, planes, begin, end);
  });
  if (few_) return run_panels(0, panels_.count(), planes, residual, output, own);
  parallel_for(panels_.count(), 1, [&](int64_t begin, int64_t end, int thread) {
    const ThreadScope one(1);
    for (int64_t panel = begin; panel < end; ++panel) {
      run_panels(panel, 1, planes, residual, output, own + thread * own_size());
    }
  });
}

void SparseConv2d::run_panels(int64_t first, int64_t count, const float* planes,
                              const float* residual, float* output, float* own) const {
  const int64_t width = panels_.width(), channels = map_.shape.out_channels;
  float* const sums = own + count * taps_ * width;
  const auto columns_of = [&](int64_t panel) {
    return std::min(width, panels_.columns - panel * width);
  };
  parallel_for(taps_, 64, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = 0; i < count; ++i) {
      HWY_DYNAMIC_DISPATCH(gather_taps)
      (map_, planes, (first + i) * width, columns_of(first + i), begin, end, width,
       own + i * taps_ * width);
    }
  });
  if (count == 1) {
    spmm_panel(weights_, columns_of(first), own, bias_.data(), sums);
  } else {
    spmm(weights_, panels_.columns, own, bias_.data(), nullptr, Activation::none, sums);
  }
  parallel_for(vectors(channels), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = 0; i < count; ++i) {
      HWY_DYNAMIC_DISPATCH(scatter_panel)
      (map_, sums + i * channels * width, width, (first + i) * width, columns_of(first + i), begin,
       end, residual, activation_, output);
    }
  });
}

}  // namespace edgeprune::sparse
#endif
