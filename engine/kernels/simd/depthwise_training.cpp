#include <algorithm>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/parallel.h"
#include "engine/kernels/simd/ahead.h"
#include "engine/kernels/simd/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/depthwise_training.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/depthwise-inl.h"
#include "engine/kernels/simd/reader-inl.h"
#include "engine/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// So many images at once that sums run over enough rows, few enough to stay in cache.
inline int64_t block_images(const Conv2dShape& s) {
  return std::max<int64_t>(1, 64 / (s.in_height * s.in_width));
}

/// Memory for what a block of images reads, unless it can be read as it stands.
class ReadBlock {
 public:
  ReadBlock(int64_t rows, int64_t channels) : channels_(channels) {
    buffer_ = allocate_floats(static_cast<size_t>(rows * channels));
  }

  /// Rows [begin, end) of `tensor` (a Normalized or NormalizedGradient) as its reader sees them.
  template <typename Source>
  HWY_INLINE const float* read(const Source& source, const float* as_it_is, int64_t begin, int64_t end) {
    if (as_it_is != nullptr) return as_it_is + begin * channels_;
    float* to = buffer_.get();
    const int64_t channels = channels_;
    with_reader(source, channels, [&](const auto& reader) HWY_ATTR {
      read_rows(reader, begin, end, [&](auto access, int64_t row, int64_t c, Vec v) HWY_ATTR {
        access.store(v, to + (row - begin) * channels + c);
      });
    });
    return to;
  }

 private:
  int64_t channels_;
  std::shared_ptr<float[]> buffer_;
};

inline const float* as_it_is(const Normalized& x) {
  return x.scale == nullptr ? x.data : nullptr;
}
inline const float* as_it_is(const NormalizedGradient& g) {
  return g.a == nullptr ? g.data : nullptr;
}

/// Images [begin, end).
void training_forward_range(const Conv2dShape& s, const Normalized& input, const float* taps,
                            float* output, PartMoments* moments, int64_t begin, int64_t end) {
  const int64_t most = std::min(block_images(s), end - begin);
  const int64_t in_rows = s.in_height * s.in_width, out_rows = s.out_height() * s.out_width();
  ReadBlock block(most * in_rows, s.in_channels);
  for (int64_t image = begin; image < end; image += most) {
    const int64_t images = std::min(most, end - image);
    const float* values = block.read(input, as_it_is(input), image * in_rows, (image + images) * in_rows);
    Ahead ahead;
    const int64_t next = image + images, next_end = std::min(next + most, end);
    ahead.read(input.data, s.in_channels, next * in_rows, next_end * in_rows);
    ahead.write(output, s.in_channels, next * out_rows, next_end * out_rows);
    ahead.spread(images * s.out_height());
    for (int64_t r = 0; r < images * s.out_height(); ++r) {
      ahead.step();
      forward_range(s, values, taps, nullptr, Activation::none,
                    output + image * out_rows * s.in_channels, r, r + 1);
    }
    if (moments != nullptr) add_moments(output, image * out_rows, (image + images) * out_rows, *moments);
  }
}

/// `turned` is taps turned by 180 degrees. `grad_taps` is added to.
void training_backward_range(const Conv2dShape& s, const NormalizedGradient& grad_output,
                             const Normalized& input, const float* taps, const float* turned,
                             const float* mean, float* grad_input, PartSums* sums,
                             float* grad_taps, int64_t begin, int64_t end) {
  const int64_t most = std::min(block_images(s), end - begin), channels = s.in_channels;
  const int64_t in_rows = s.in_height * s.in_width, out_rows = s.out_height() * s.out_width();
  ReadBlock grad_block(most * out_rows, channels), input_block(most * in_rows, channels);
  for (int64_t image = begin; image < end; image += most) {
    const int64_t images = std::min(most, end - image);
    const float* grad = grad_block.read(grad_output, as_it_is(grad_output), image * out_rows,
                                        (image + images) * out_rows);
    if (grad_taps != nullptr) {
      const float* values =
          input_block.read(input, as_it_is(input), image * in_rows, (image + images) * in_rows);
      for (int64_t i = 0; i < images; ++i) {
        const auto add = s.stride == 1 ? backward_weights_image<1> : backward_weights_image<2>;
        add(s, values + i * in_rows * channels, grad + i * out_rows * channels, grad_taps);
      }
    }
    if (grad_input == nullptr) continue;
    float* to = grad_input + image * in_rows * channels;
    Ahead ahead;
    const int64_t next = image + images, next_end = std::min(next + most, end);
    ahead.read(grad_output.data, channels, next * out_rows, next_end * out_rows);
    ahead.read(grad_output.output.data, channels, next * out_rows, next_end * out_rows);
    ahead.read(input.data, channels, next * in_rows, next_end * in_rows);
    ahead.write(grad_input, channels, next * in_rows, next_end * in_rows);
    ahead.spread(images * s.in_height);
    for (int64_t r = 0; r < images * s.in_height; ++r) {
      ahead.step();
      if (s.stride == 1) {  // the same convolution with the taps turned
        forward_range(s, grad, turned, nullptr, Activation::none, to, r, r + 1);
      } else {
        backward_data_range(s, grad, taps, to, r, r + 1);
      }
    }
    if (sums != nullptr) {
      add_gradient_sums(input, mean, grad_input, image * in_rows, (image + images) * in_rows, *sums);
    }
  }
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(training_forward_range);
HWY_EXPORT(training_backward_range);

void depthwise_forward(const Conv2dShape& s, const Normalized& input, const float* taps,
                       float* output, const Moments* moments) {
  std::vector<PartMoments> parts;
  if (moments != nullptr) parts.assign(thread_count(), PartMoments(s.in_channels));
  parallel_for(s.batch, 1, [&](int64_t begin, int64_t end, int part) {
    HWY_DYNAMIC_DISPATCH(training_forward_range)
    (s, input, taps, output, moments != nullptr ? &parts[part] : nullptr, begin, end);
  });
  if (moments != nullptr) combine(parts, *moments);
}

void depthwise_backward(const Conv2dShape& s, const NormalizedGradient& grad_output,
                        const Normalized& input, const float* taps,
                        const DepthwiseGradients& gradients) {
  const int64_t channels = s.in_channels, count = 9 * channels;
  std::vector<float> turned(count);
  for (int64_t k = 0; k < 9; ++k) {
    std::copy_n(taps + k * channels, channels, &turned[(8 - k) * channels]);
  }
  const GradientSums* sums = gradients.sums;
  std::vector<PartSums> part_sums;
  if (sums != nullptr) part_sums.assign(thread_count(), PartSums(channels));
  std::vector<float> shares;
  if (gradients.grad_taps != nullptr) shares.assign(thread_count() * count, 0.0f);
  const int parts = parallel_for(s.batch, 1, [&](int64_t begin, int64_t end, int part) {
    HWY_DYNAMIC_DISPATCH(training_backward_range)
    (s, grad_output, input, taps, turned.data(), sums != nullptr ? sums->mean : nullptr,
     gradients.grad_input, sums != nullptr ? &part_sums[part] : nullptr,
     shares.empty() ? nullptr : &shares[part * count], begin, end);
  });
  if (sums != nullptr) combine(part_sums, *sums);
  if (gradients.grad_taps == nullptr) return;
  std::copy_n(shares.begin(), count, gradients.grad_taps);
  for (int part = 1; part < parts; ++part) {
    for (int64_t i = 0; i < count; ++i) gradients.grad_taps[i] += shares[part * count + i];
  }
}

}  // namespace edgeprune::simd
#endif
