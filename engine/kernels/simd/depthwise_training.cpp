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

#include "engine/kernels/simd/depthwise_tiles-inl.h"
#include "engine/kernels/simd/depthwise_walk-inl.h"
#include "engine/kernels/simd/reader-inl.h"
#include "engine/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// The rows of one image as their reader sees them, a few at a time: enough for the windows around
/// some output rows to stay in the first-level cache.
template <int kSize, typename Source>
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
                  [=](auto access, int64_t row, int64_t c, Vec v)
                      HWY_ATTR { access.store(v, to + (row - begin) * channels + c); });
      }
    });
  }
  /// One of the last rows read; zeros outside the image.
  const float* row(int64_t index) const {
    if (index < 0 || index >= height_) return zeros_.data();
    return buffer_.get() + index % capacity_ * width_ * channels_;
  }
  /// The kSize rows of which `index` is in the middle.
  Rows<kSize> around(int64_t index) const {
    Rows<kSize> rows{{}, width_, channels_};
    for (int k = 0; k < kSize; ++k) rows.row[k] = row(index - kSize / 2 + k);
    return rows;
  }

 private:
  const Source& source_;
  int64_t height_, width_, channels_, capacity_;
  std::vector<float> zeros_;
  std::shared_ptr<float[]> buffer_;
  int64_t first_ = 0, read_ = 0;
};

/// Images [begin, end).
template <int kSize, int kStride>
void forward_images(const Conv2dShape& s, const Normalized& input, const float* taps, float* output,
                    PartMoments* moments, int64_t begin, int64_t end) {
  const int64_t out_height = s.out_height(), out_width = s.out_width();
  RowRing<kSize, Normalized> rows(input, s.in_height, s.in_width, s.in_channels, kSize);
  const BlockOutput out(output, s.batch * out_height * out_width, s.in_channels, out_width);
  for (int64_t image = begin; image < end; ++image) {
    rows.start(image);
    for (int64_t o = 0; o < out_height; ++o) {
      rows.read_to(kStride * o + kSize / 2);
      const int64_t first = (image * out_height + o) * out_width;
      forward_row<kStride>(rows.around(kStride * o), taps, nullptr, Identity<F32>(),
                           out.block(first));
      add_moments(out.block(first), out_width, s.in_channels, out.destination(first), moments);
    }
  }
  hwy::FlushStream();
}

/// The same bits as those of forward_images(), if moments are wanted.
template <int kStride>
void forward_images_and_moments(const Conv2dShape& s, const Normalized& input, const float* taps,
                                float* output, PartMoments& moments, int64_t begin, int64_t end) {
  const int64_t channels = s.in_channels, out_height = s.out_height(), out_width = s.out_width();
  // Some 16 pixels at a time: those around them should stay in the first-level cache.
  const int64_t band = std::clamp<int64_t>(16 / out_width, 1, out_height);
  const int64_t most = kStride * (band - 1) + 3;
  RowRing<3, Normalized> rows(input, s.in_height, s.in_width, channels, most);
  const BlockOutput out(output, s.batch * out_height * out_width, channels, band * out_width);
  SumsByColumn sums(moments.sums);
  std::vector<const float*> inputs(static_cast<size_t>(most));
  for (int64_t image = begin; image < end; ++image) {
    rows.start(image);
    for (int64_t o = 0; o < out_height; o += band) {
      const int64_t count = std::min(band, out_height - o), last = kStride * (o + count - 1) + 1;
      rows.read_to(last);
      for (int64_t i = 0, row = kStride * o - 1; row <= last; ++i, ++row) {
        inputs[static_cast<size_t>(i)] = rows.row(row);
      }
      const int64_t first = (image * out_height + o) * out_width;
      const int64_t unread = image * s.in_height + std::min(last + 1, s.in_height);
      if (moments.rows == 0) {  // as in add_moments()
        forward_row<kStride>(rows.around(kStride * o), taps, nullptr, Identity<F32>(),
                             out.block(first));
        moments.origin = rough_mean(out.block(first), out_width, channels);
      }
      moments.rows += count * out_width;
      const OutputBand it{.rows = count,
                          .width = out_width,
                          .in_width = s.in_width,
                          .channels = channels,
                          .inputs = inputs.data(),
                          .block = out.block(first),
                          .next = input.data + unread * s.in_width * channels};
      put_outputs<kStride>(it, taps, moments.origin.data(), out.destination(first), sums);
    }
  }
  hwy::FlushStream();
}

/// The gradient of input row `index` of an image.
template <int kSize, int kStride>
void input_gradient_row(const Conv2dShape& s, const RowRing<kSize, NormalizedGradient>& grads,
                        const float* taps, const float* turned, int64_t index, float* grad_input) {
  if constexpr (kStride == 1) {  // the same convolution with the taps turned
    forward_row<1>(grads.around(index), turned, nullptr, Identity<F32>(), grad_input);
  } else {
    // Read by output row o through the taps of filter row index + kSize / 2 - 2 * o.
    const auto backward = [&](auto first_tap_row) HWY_ATTR {
      constexpr int kFirst = first_tap_row, kRows = (kSize - kFirst + 1) / 2;
      const float* rows[kRows];
      int tap_rows[kRows];
      for (int r = 0; r < kRows; ++r) {
        tap_rows[r] = kSize - 1 - (kSize - 1 - kFirst) % 2 - 2 * r;  // output rows from above
        rows[r] = grads.row((index + kSize / 2 - tap_rows[r]) / 2);
      }
      if constexpr (kSize == 3) {
        backward_data_row<kRows>(rows, tap_rows, taps, s.in_channels, s.out_width(), s.in_width,
                                 grad_input);
      } else {
        backward_data_row<kSize, kRows>(rows, tap_rows, taps, s.in_channels, s.out_width(),
                                        s.in_width, grad_input);
      }
    };
    if ((index + kSize / 2) % 2 == 0) return backward(std::integral_constant<int, 0>());
    backward(std::integral_constant<int, 1>());
  }
}

/// Output rows at a time: some 32 pixels, for which the taps' sums stay in registers.
inline int64_t band_rows(const Conv2dShape& s) {
  return std::clamp<int64_t>(32 / s.out_width(), 1, s.out_height());
}

/// `turned` is taps turned by 180 degrees. `grad_taps` is added to.
template <int kSize, int kStride>
void backward_images(const Conv2dShape& s, const NormalizedGradient& grad_output,
                     const Normalized& input, const float* taps, const float* turned,
                     const float* mean, float* grad_input, PartSums* sums, float* grad_taps,
                     int64_t begin, int64_t end) {
  const int64_t channels = s.in_channels, out_height = s.out_height();
  const int64_t band = band_rows(s);
  RowRing<kSize, NormalizedGradient> grads(grad_output, out_height, s.out_width(), channels,
                                           band + kSize - 1);
  const BlockOutput out(grad_input, s.batch * s.in_height * s.in_width, channels,
                        kStride * band * s.in_width);
  RowRing<kSize, Normalized> values(input, s.in_height, s.in_width, channels,
                                    kStride * (band - 1) + kSize);
  for (int64_t image = begin; image < end; ++image) {
    grads.start(image);
    values.start(image);
    for (int64_t o = 0; o < out_height; o += band) {
      const int64_t count = std::min(band, out_height - o);
      grads.read_to(o + count - 1 + kSize / 2);
      if (grad_taps != nullptr) {
        values.read_to(kStride * (o + count - 1) + kSize / 2);
        const auto around = [&](int64_t i) { return values.around(kStride * (o + i)); };
        const auto grad = [&](int64_t i) { return grads.row(o + i); };
        if constexpr (kSize == 3) {
          add_taps_gradient<kStride>(count, channels, around, grad, grad_taps);
        } else {
          add_taps_gradient_by_rows<kSize, kStride>(count, s.in_width, channels, around, grad,
                                                    grad_taps);
        }
      }
      if (grad_input == nullptr) continue;
      const int64_t first = kStride * o, last = std::min(kStride * (o + count), s.in_height);
      const int64_t row = (image * s.in_height + first) * s.in_width;
      const int64_t pixels = (last - first) * s.in_width;
      float* block = out.block(row);
      for (int64_t i = first; i < last; ++i) {
        input_gradient_row<kSize, kStride>(s, grads, taps, turned, i,
                                           block + (i - first) * s.in_width * channels);
      }
      add_gradient_sums(from_row(input, row, channels), mean, block, pixels, channels,
                        out.destination(row), sums);
    }
  }
  hwy::FlushStream();
}

/// The same bits as those of backward_images(), if everything is wanted.
template <int kStride>
void both_gradients_of_images(const Conv2dShape& s, const NormalizedGradient& grad_output,
                              const Normalized& input, const float* taps, const float* turned,
                              const float* mean, float* grad_input, PartSums& part_sums,
                              float* grad_taps, int64_t begin, int64_t end) {
  const int64_t channels = s.in_channels, out_height = s.out_height(), out_width = s.out_width();
  const int64_t band = band_rows(s);
  RowRing<3, NormalizedGradient> grads(grad_output, out_height, out_width, channels, band + 2);
  const BlockOutput out(grad_input, s.batch * s.in_height * s.in_width, channels,
                        kStride * band * s.in_width);
  SumsByColumn sums(part_sums);
  std::vector<const float*> rows(static_cast<size_t>(band + 2));
  const float* const behind = grad_output.a != nullptr ? grad_output.output.data : grad_output.data;
  for (int64_t image = begin; image < end; ++image) {
    grads.start(image);
    for (int64_t o = 0; o < out_height; o += band) {
      const int64_t count = std::min(band, out_height - o);
      grads.read_to(o + count);
      for (int64_t i = 0; i < count + 2; ++i) rows[static_cast<size_t>(i)] = grads.row(o + i - 1);
      const int64_t first = kStride * o, last = std::min(kStride * (o + count), s.in_height);
      const int64_t pixel = (image * s.in_height + first) * s.in_width;
      const int64_t unread = (image * out_height + o + count + 1) * out_width * channels;
      const GradientBand it{.rows = last - first,
                            .width = s.in_width,
                            .out_width = out_width,
                            .channels = channels,
                            .grads = rows.data(),
                            .grad_input = out.block(pixel),
                            .grad_taps = grad_taps,
                            .next_grad = grad_output.data + unread,
                            .next_behind = behind + unread};
      add_gradients<kStride>(it, kStride == 1 ? turned : taps, from_row(input, pixel, channels),
                             mean, out.destination(pixel), sums);
    }
  }
  hwy::FlushStream();
}

void training_forward_range(const Conv2dShape& s, const Normalized& input, const float* taps,
                            float* output, PartMoments* moments, int64_t begin, int64_t end) {
  with_window(s, [&](auto size, auto stride) HWY_ATTR {
    if constexpr (size == 3 && kWalkFits) {
      if (moments != nullptr) {
        return forward_images_and_moments<stride>(s, input, taps, output, *moments, begin, end);
      }
    }
    forward_images<size, stride>(s, input, taps, output, moments, begin, end);
  });
}

void training_backward_range(const Conv2dShape& s, const NormalizedGradient& grad_output,
                             const Normalized& input, const float* taps, const float* turned,
                             const float* mean, float* grad_input, PartSums* sums, float* grad_taps,
                             int64_t begin, int64_t end) {
  with_window(s, [&](auto size, auto stride) HWY_ATTR {
    if constexpr (size == 3 && kWalkFits) {
      if (grad_input != nullptr && sums != nullptr && grad_taps != nullptr) {
        return both_gradients_of_images<stride>(s, grad_output, input, taps, turned, mean,
                                                grad_input, *sums, grad_taps, begin, end);
      }
    }
    backward_images<size, stride>(s, grad_output, input, taps, turned, mean, grad_input, sums,
                                  grad_taps, begin, end);
  });
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
  const int64_t channels = s.in_channels, window = s.kernel * s.kernel, count = window * channels;
  const auto turned = allocate_floats(static_cast<size_t>(count));
  for (int64_t k = 0; k < window; ++k) {
    std::copy_n(taps + k * channels, channels, &turned[(window - 1 - k) * channels]);
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
