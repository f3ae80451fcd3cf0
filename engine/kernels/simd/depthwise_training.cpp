#include <hwy/cache_control.h>

#include <algorithm>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/parallel.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/kernels/simd/row_blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/depthwise_training.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/depthwise-inl.h"
#include "engine/kernels/simd/reader-inl.h"
#include "engine/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// The rows of one image as their reader sees them, a few at a time: enough for the 3x3 windows
/// around some output rows to stay in the first-level cache.
template <typename Source>
class RowRing {
 public:
  RowRing(const Source& source, int64_t height, int64_t width, int64_t channels, int64_t rows)
      : source_(source),
        height_(height),
        width_(width),
        channels_(channels),
        capacity_(std::min(rows, height)),
        zeros_(static_cast<size_t>(width * channels), 0.0f),
        buffer_(allocate_floats(static_cast<size_t>(capacity_ * width * channels))) {}

  void start(int64_t image) {
    first_ = image * height_ * width_;
    read_ = 0;
  }
  /// Reads on to row `last`, or to the image's end.
  HWY_INLINE void read_to(int64_t last) {
    const int64_t end = std::min(last + 1, height_);
    if (read_ >= end) return;
    with_reader(source_, channels_, [&](const auto& reader) HWY_ATTR {
      for (; read_ < end; ++read_) {
        float* to = buffer_.get() + read_ % capacity_ * width_ * channels_;
        const int64_t begin = first_ + read_ * width_, channels = channels_;
        read_rows(reader, begin, begin + width_,
                  [&](auto access, int64_t row, int64_t c, Vec v)
                      HWY_ATTR { access.store(v, to + (row - begin) * channels + c); });
      }
    });
  }
  /// One of the last rows read; zeros outside the image.
  const float* row(int64_t index) const {
    if (index < 0 || index >= height_) return zeros_.data();
    return buffer_.get() + index % capacity_ * width_ * channels_;
  }
  /// Rows index - 1 to index + 1.
  Rows around(int64_t index) const {
    return {{row(index - 1), row(index), row(index + 1)}, width_, channels_};
  }

 private:
  const Source& source_;
  int64_t height_, width_, channels_, capacity_;
  std::vector<float> zeros_;
  std::shared_ptr<float[]> buffer_;
  int64_t first_ = 0, read_ = 0;
};

/// Images [begin, end).
void training_forward_range(const Conv2dShape& s, const Normalized& input, const float* taps,
                            float* output, PartMoments* moments, int64_t begin, int64_t end) {
  const int64_t out_height = s.out_height(), out_width = s.out_width();
  RowRing rows(input, s.in_height, s.in_width, s.in_channels, 3);
  const BlockOutput out(output, s.batch * out_height * out_width, s.in_channels, out_width);
  for (int64_t image = begin; image < end; ++image) {
    rows.start(image);
    for (int64_t o = 0; o < out_height; ++o) {
      rows.read_to(s.stride * o + 1);
      const int64_t first = (image * out_height + o) * out_width;
      forward_row(s.stride, rows.around(s.stride * o), taps, nullptr, Identity<F32>(),
                  out.block(first));
      add_moments(out.block(first), out_width, s.in_channels, out.destination(first), moments);
    }
  }
  hwy::FlushStream();
}

/// The gradient of input row `index` of an image.
inline void input_gradient_row(const Conv2dShape& s, const RowRing<NormalizedGradient>& grads,
                               const float* taps, const float* turned, int64_t index,
                               float* grad_input) {
  if (s.stride == 1) {  // the same convolution with the taps turned
    forward_row<1>(grads.around(index), turned, nullptr, Identity<F32>(), grad_input);
    return;
  }
  // An even row was read through the middle taps, an odd one through the lower and the upper ones.
  const int64_t o = index / 2;
  const float* rows[2] = {grads.row(o), grads.row(o + 1)};
  const int middle[1] = {1}, outer[2] = {2, 0};
  if (index % 2 == 0) {
    backward_data_row<1>(rows, middle, taps, s.in_channels, s.out_width(), s.in_width, grad_input);
  } else {
    backward_data_row<2>(rows, outer, taps, s.in_channels, s.out_width(), s.in_width, grad_input);
  }
}

/// `turned` is taps turned by 180 degrees. `grad_taps` is added to.
void training_backward_range(const Conv2dShape& s, const NormalizedGradient& grad_output,
                             const Normalized& input, const float* taps, const float* turned,
                             const float* mean, float* grad_input, PartSums* sums, float* grad_taps,
                             int64_t begin, int64_t end) {
  const int64_t channels = s.in_channels, out_height = s.out_height(), stride = s.stride;
  // Output rows at a time: some 32 pixels, for which the taps' sums stay in registers.
  const int64_t band = std::clamp<int64_t>(32 / s.out_width(), 1, out_height);
  RowRing grads(grad_output, out_height, s.out_width(), channels, band + 2);
  const BlockOutput out(grad_input, s.batch * s.in_height * s.in_width, channels,
                        stride * band * s.in_width);
  RowRing values(input, s.in_height, s.in_width, channels, stride * (band - 1) + 3);
  for (int64_t image = begin; image < end; ++image) {
    grads.start(image);
    values.start(image);
    for (int64_t o = 0; o < out_height; o += band) {
      const int64_t count = std::min(band, out_height - o);
      grads.read_to(o + count);
      if (grad_taps != nullptr) {
        values.read_to(stride * (o + count - 1) + 1);
        const auto around = [&](int64_t i) { return values.around(stride * (o + i)); };
        const auto grad = [&](int64_t i) { return grads.row(o + i); };
        if (stride == 1) {
          add_taps_gradient<1>(count, channels, around, grad, grad_taps);
        } else {
          add_taps_gradient<2>(count, channels, around, grad, grad_taps);
        }
      }
      if (grad_input == nullptr) continue;
      const int64_t first = stride * o, last = std::min(stride * (o + count), s.in_height);
      const int64_t row = (image * s.in_height + first) * s.in_width;
      const int64_t pixels = (last - first) * s.in_width;
      float* block = out.block(row);
      for (int64_t i = first; i < last; ++i) {
        input_gradient_row(s, grads, taps, turned, i, block + (i - first) * s.in_width * channels);
      }
      add_gradient_sums(from_row(input, row, channels), mean, block, pixels, channels,
                        out.destination(row), sums);
    }
  }
  hwy::FlushStream();
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(training_forward_range);
HWY_EXPORT(training_backward_range);

void depthwise_forward(const Conv2dShape& s, const Normalized& input, const float* taps,
                       float* output, const Moments* moments) {
  const Pieces pieces(s.batch, 1);
  auto parts = parts_of<PartMoments>(moments != nullptr ? pieces.count() : 0, s.in_channels);
  parallel_for(pieces, [&](int64_t begin, int64_t end, int piece) {
    HWY_DYNAMIC_DISPATCH(training_forward_range)
    (s, input, taps, output, moments != nullptr ? &parts[piece] : nullptr, begin, end);
    if (moments != nullptr) parts[piece].sums.flush();
  });
  if (moments != nullptr) combine(std::move(parts), *moments);
}

void depthwise_backward(const Conv2dShape& s, const NormalizedGradient& grad_output,
                        const Normalized& input, const float* taps,
                        const DepthwiseGradients& gradients) {
  const int64_t channels = s.in_channels, count = 9 * channels;
  const auto turned = allocate_floats(static_cast<size_t>(count));
  for (int64_t k = 0; k < 9; ++k) {
    std::copy_n(taps + k * channels, channels, &turned[(8 - k) * channels]);
  }
  const Pieces pieces(s.batch, 1);
  const GradientSums* sums = gradients.sums;
  auto part_sums = parts_of<PartSums>(sums != nullptr ? pieces.count() : 0, channels);
  const Shares shares(pieces.count(), count, gradients.grad_taps);
  parallel_for(pieces, [&](int64_t begin, int64_t end, int piece) {
    if (shares[piece] != nullptr) std::fill_n(shares[piece], count, 0.0f);
    HWY_DYNAMIC_DISPATCH(training_backward_range)
    (s, grad_output, input, taps, turned.get(), sums != nullptr ? sums->mean : nullptr,
     gradients.grad_input, sums != nullptr ? &part_sums[piece] : nullptr, shares[piece], begin,
     end);
    if (sums != nullptr) part_sums[piece].flush();
  });
  if (sums != nullptr) combine(std::move(part_sums), *sums);
  shares.add_up();
}

}  // namespace edgeprune::simd
#endif
