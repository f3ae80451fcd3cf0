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

/// What so many taps, which read `offsets` from a column's own, read for the `columns` of the output
/// from `column` on: to rows of `width` floats.
void gather_taps(const PaddedMap& map, const float* planes, const int64_t* offsets, int64_t taps,
                 int64_t column, int64_t columns, int64_t width, float* to) {
  struct Piece {
    int64_t from, to;
  };
  constexpr int64_t kPiece = 16;
  std::array<Piece, kMostColumns> pieces;
  size_t count = 0;
  for (int64_t q = column; q < column + columns;) {
    const int64_t start = q % map.out_line, left = column + columns - q;
    const bool one_piece = map.out_line == map.line;
    const int64_t end = one_piece ? left : std::min(map.out_line - start, left);
    for (int64_t i = 0; i < end; i += kPiece) {
      pieces[count++] = {q / map.out_line * map.line + start + i, q - column + i};
    }
    q += end;
  }
  const hn::CappedTag<float, kPiece> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto copy = [&](const float* from, float* row) HWY_ATTR {
    for (int64_t j = 0; j < kPiece; j += lanes) hn::StoreU(hn::LoadU(d, from + j), d, row + j);
  };
  if (pieces[0].from + columns - kPiece == pieces[count - 1].from && columns == kMostColumns) {
    for (int64_t tap = 0; tap < taps; ++tap, to += width) {
      const float* from = planes + offsets[tap] + pieces[0].from;
#pragma GCC unroll 4
      for (int64_t i = 0; i < kMostColumns; i += kPiece) copy(from + i, to + i);
    }
    return;
  }
  // Whole pieces are written: what overhangs is the next rows', which are written later. Behind the
  // last ones are another thread's.
  HWY_ALIGN float aside[kMostColumns + kPiece];
  for (int64_t tap = 0; tap < taps; ++tap, to += width) {
    const bool at_end = (taps - tap - 1) * width < kPiece;
    float* row = at_end ? aside : to;
    for (size_t i = 0; i < count; ++i) {
      copy(planes + offsets[tap] + pieces[i].from, row + pieces[i].to);
    }
    if (at_end) std::copy_n(aside, columns, to);
  }
}

/// Vectors [begin, end) of a panel's channels to the output, with residual (may be null) and activation.
void scatter_panel(const PaddedMap& map, const float* panel, int64_t width, int64_t column,
                   int64_t columns, int64_t begin, int64_t end, const float* residual,
                   Activation activation, float* output) {
  const Conv2dShape& s = map.shape;
  std::array<int64_t, kMostColumns> at;  // of the output; negative: beyond the end of a line
  const int64_t width_out = s.out_width(), next_image = s.out_height() * width_out * s.out_channels;
  const int64_t line_end = map.out_line / map.images;
  int64_t y = column / map.out_line, x = column % map.out_line / map.images;
  int64_t image = column % map.images;
  for (int64_t i = 0; i < columns; ++i) {
    const int64_t pixel = y * width_out + x;
    at[static_cast<size_t>(i)] = x < width_out ? image * next_image + pixel * s.out_channels : -1;
    if (++image < map.images) continue;
    image = 0;
    if (++x == line_end) x = 0, ++y;
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
              if (at[static_cast<size_t>(j + i)] < 0) continue;
              const int64_t to = at[static_cast<size_t>(j + i)] + c;
              Vec value = block[i];
              if (residual != nullptr) value = hn::Add(value, access.load(residual + to));
              access.store(activate(value), output + to);
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
  constexpr int64_t kColumns = 4096, kMost = 16;
  const int64_t pixels = s.out_height() * s.out_width();
  int64_t images = std::clamp<int64_t>(kColumns / pixels, 1, std::min(kMost, s.batch));
  while (s.batch % images != 0) --images;
  return images;
}

}  // namespace

PaddedMap::PaddedMap(const Conv2dShape& whole, int64_t together)
    : shape(whole), images(together), phases(std::min(whole.stride, whole.kernel)) {
  const int64_t beyond = (shape.kernel - 1) / shape.stride;
  const bool shared = shape.stride == 1 && shape.padding < shape.kernel;
  // Behind the last line comes what would be the next one's padding.
  rows = shape.out_height() + beyond + (shared && shape.padding > 0);
  line = (shared ? shape.in_width + shape.padding : shape.out_width() + beyond) * images;
  out_line = images % 16 == 0 ? shape.out_width() * images : line;
  plane = rows * line;
  // An odd number of cache lines, so that channels do not fall into the same few sets of a cache.
  channel = ((phases * phases * plane + kOverhang + 15) / 16 | 1) * 16;
}

int64_t PaddedMap::offset(int64_t c, int64_t y, int64_t x) const {
  const int64_t phase = y % shape.stride * phases + x % shape.stride;
  return c * channel + phase * plane + y / shape.stride * line + x / shape.stride * images;
}

SparseConv2d::SparseConv2d(const Conv2dShape& shape, const float* weights, const float* bias,
                           Activation activation)
    : map_(ungrouped(shape), images_together(shape)),
      activation_(activation),
      threads_(thread_count()),
      shared_(shape.batch / map_.images % threads_ != 0),
      taps_(shape.in_channels * shape.kernel * shape.kernel),
      panels_{taps_, map_.columns()},
      weights_(CsrMatrix::from_dense(weights, shape.out_channels, taps_), panels_.columns),
      few_(shared_ && panels_.count() < 4 * threads_),
      bias_(bias, bias + shape.out_channels) {
  for (int64_t c = 0; c < shape.in_channels; ++c) {
    for (int64_t y = 0; y < shape.kernel; ++y) {
      for (int64_t x = 0; x < shape.kernel; ++x) offsets_.push_back(map_.offset(c, y, x));
    }
  }
}

int64_t SparseConv2d::gathered_size() const {
  return panels_.width() * (few_ ? panels_.count() * taps_ : weights_.block_channels());
}

int64_t SparseConv2d::own_size() const {
  const int64_t sums = (few_ ? panels_.count() : 1) * panels_.width() * map_.shape.out_channels;
  return (gathered_size() + sums + kOverhang + 31) / 32 * 32;
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
  if (few_) return run_few_panels(planes, residual, output, own);
  parallel_for(panels_.count(), 1, [&](int64_t begin, int64_t end, int thread) {
    const ThreadScope one(1);
    for (int64_t panel = begin; panel < end; ++panel) {
      run_panel(panel, planes, residual, output, own + thread * own_size());
    }
  });
}

void SparseConv2d::run_panel(int64_t panel, const float* planes, const float* residual,
                             float* output, float* own) const {
  const int64_t width = panels_.width(), columns = columns_of(panel);
  float* const sums = own + gathered_size();
  for (int64_t block = 0; block < weights_.blocks(); ++block) {
    const int64_t first = block * weights_.block_channels();
    HWY_DYNAMIC_DISPATCH(gather_taps)
    (map_, planes, offsets_.data() + first, std::min(taps_ - first, weights_.block_channels()),
     panel * width, columns, width, own);
    spmm_block(weights_, block, columns, own, bias_.data(), sums);
  }
  HWY_DYNAMIC_DISPATCH(scatter_panel)
  (map_, sums, width, panel * width, columns, 0, vectors(map_.shape.out_channels), residual,
   activation_, output);
}

void SparseConv2d::run_few_panels(const float* planes, const float* residual, float* output,
                                  float* own) const {
  const int64_t width = panels_.width(), channels = map_.shape.out_channels;
  float* const sums = own + gathered_size();
  const auto for_panels = [&](int64_t items, int64_t grain, const auto& body) {
    parallel_for(items, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t panel = 0; panel < panels_.count(); ++panel) body(panel, begin, end);
    });
  };
  for_panels(taps_, 64, [&](int64_t panel, int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(gather_taps)
    (map_, planes, offsets_.data() + begin, end - begin, panel * width, columns_of(panel), width,
     own + (panel * taps_ + begin) * width);
  });
  spmm(weights_, panels_.columns, own, bias_.data(), nullptr, Activation::none, sums);
  for_panels(vectors(channels), 1, [&](int64_t panel, int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(scatter_panel)
    (map_, sums + panel * channels * width, width, panel * width, columns_of(panel), begin, end,
     residual, activation_, output);
  });
}

}  // namespace edgeprune::sparse
#endif
