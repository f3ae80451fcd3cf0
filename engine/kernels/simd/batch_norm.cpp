#include "engine/kernels/simd/batch_norm.h"

#include <algorithm>
#include <vector>

#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/batch_norm.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

constexpr int64_t kBlockRows = 64;  // summed in float, then in double: six digits of the variance
constexpr int64_t kRowsAtOnce =
    8;  // read side by side: the sums are loaded and stored once for all

/// Per-channel sums of a part of the rows: of 64 rows in float, of all in double.
class BlockSums {
 public:
  BlockSums(int64_t channels, double* first, double* second)
      : channels_(channels), total_{first, second}, block_(2 * channels, 0.0f) {}

  float* first() { return block_.data(); }
  float* second() { return block_.data() + channels_; }

  void flush() {
    for (int sum = 0; sum < 2; ++sum) {
      float* block = &block_[sum * channels_];
      for (int64_t c = 0; c < channels_; ++c) total_[sum][c] += block[c];
      std::fill_n(block, channels_, 0.0f);
    }
  }

 private:
  int64_t channels_;
  double* total_[2];
  std::vector<float> block_;
};

/// Rows [row, row + kRows): body(access, row, c, one, two) adds one row's vector to two sums.
template <int kRows, typename Body>
HWY_INLINE void sum_rows(int64_t row, int64_t channels, BlockSums& sums, const Body& body) {
  float *first = sums.first(), *second = sums.second();
  for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
    Vec one = access.load(first + c), two = access.load(second + c);
    for (int r = 0; r < kRows; ++r) body(access, row + r, c, one, two);
    access.store(one, first + c);
    access.store(two, second + c);
  });
}

/// Adds the per-channel sums of rows [begin, end) to doubles.
template <typename Body>
HWY_INLINE void sum_blocks(int64_t begin, int64_t end, int64_t channels, double* first,
                           double* second, const Body& body) {
  BlockSums sums(channels, first, second);
  int64_t row = begin;
  for (int64_t in_block = 0; row + kRowsAtOnce <= end; row += kRowsAtOnce) {
    sum_rows<kRowsAtOnce>(row, channels, sums, body);
    in_block += kRowsAtOnce;
    if (in_block == kBlockRows) {
      sums.flush();
      in_block = 0;
    }
  }
  for (; row < end; ++row) sum_rows<1>(row, channels, sums, body);
  sums.flush();
}

/// Sums of (x - origin) and (x - origin)^2. An origin near the mean avoids cancellation in the
/// variance.
void statistics_range(const float* input, int64_t channels, const float* origin, double* sum,
                      double* squares, int64_t begin, int64_t end) {
  sum_blocks(begin, end, channels, sum, squares,
             [&](auto access, int64_t row, int64_t c, Vec& one, Vec& two) HWY_ATTR {
               const Vec x =
                   hn::Sub(access.load(input + row * channels + c), access.load(origin + c));
               one = hn::Add(one, x);
               two = hn::MulAdd(x, x, two);
             });
}

template <Activation kActivation>
void scale_shift_rows(const float* input, int64_t channels, const float* scale, const float* shift,
                      float* output, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
      const Vec x = access.load(input + row * channels + c);
      const Vec z = hn::MulAdd(x, access.load(scale + c), access.load(shift + c));
      access.store(activate<kActivation>(z), output + row * channels + c);
    });
  }
}

void scale_shift_range(const float* input, int64_t channels, const float* scale, const float* shift,
                       Activation activation, float* output, int64_t begin, int64_t end) {
  const auto rows = activation == Activation::relu6 ? scale_shift_rows<Activation::relu6>
                                                    : scale_shift_rows<Activation::none>;
  rows(input, channels, scale, shift, output, begin, end);
}

template <Activation kActivation>
void backward_sums_rows(const float* input, const float* grad_output, int64_t channels,
                        const float* mean, const float* scale, const float* shift, double* sum_grad,
                        double* sum_grad_input, int64_t begin, int64_t end) {
  sum_blocks(begin, end, channels, sum_grad, sum_grad_input,
             [&](auto access, int64_t row, int64_t c, Vec& one, Vec& two) HWY_ATTR {
               const Vec x = access.load(input + row * channels + c);
               const Vec z = hn::MulAdd(x, access.load(scale + c), access.load(shift + c));
               const Vec g = activation_gradient<kActivation>(
                   access.load(grad_output + row * channels + c), z);
               one = hn::Add(one, g);
               two = hn::MulAdd(g, hn::Sub(x, access.load(mean + c)), two);
             });
}

void backward_sums_range(const float* input, const float* grad_output, int64_t channels,
                         const float* mean, const float* scale, const float* shift,
                         Activation activation, double* sum_grad, double* sum_grad_input,
                         int64_t begin, int64_t end) {
  const auto rows = activation == Activation::relu6 ? backward_sums_rows<Activation::relu6>
                                                    : backward_sums_rows<Activation::none>;
  rows(input, grad_output, channels, mean, scale, shift, sum_grad, sum_grad_input, begin, end);
}

template <Activation kActivation>
void backward_data_rows(const float* input, const float* grad_output, int64_t channels,
                        const float* scale, const float* shift, const float* a, const float* b,
                        const float* offset, float* grad_input, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    for_each_vector(channels, [&](auto access, int64_t c) HWY_ATTR {
      const Vec x = access.load(input + row * channels + c);
      const Vec z = hn::MulAdd(x, access.load(scale + c), access.load(shift + c));
      const Vec g =
          activation_gradient<kActivation>(access.load(grad_output + row * channels + c), z);
      const Vec rest = hn::MulAdd(access.load(b + c), x, access.load(offset + c));
      access.store(hn::MulAdd(access.load(a + c), g, rest), grad_input + row * channels + c);
    });
  }
}

void backward_data_range(const float* input, const float* grad_output, int64_t channels,
                         const float* scale, const float* shift, Activation activation,
                         const float* a, const float* b, const float* c, float* grad_input,
                         int64_t begin, int64_t end) {
  const auto rows = activation == Activation::relu6 ? backward_data_rows<Activation::relu6>
                                                    : backward_data_rows<Activation::none>;
  rows(input, grad_output, channels, scale, shift, a, b, c, grad_input, begin, end);
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(statistics_range);
HWY_EXPORT(scale_shift_range);
HWY_EXPORT(backward_sums_range);
HWY_EXPORT(backward_data_range);

namespace {

constexpr int64_t kGrainRows = 64;

/// Two per-channel sums, taken by every thread for itself and then added in order.
struct ChannelSums {
  std::vector<double> first, second;

  /// range(first, second, begin, end) adds rows [begin, end).
  template <typename Range>
  ChannelSums(int64_t rows, int64_t channels, const Range& range)
      : first(thread_count() * channels, 0.0), second(thread_count() * channels, 0.0) {
    const int parts = parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int part) {
      range(&first[part * channels], &second[part * channels], begin, end);
    });
    for (int part = 1; part < parts; ++part) {
      for (int64_t c = 0; c < channels; ++c) {
        first[c] += first[part * channels + c];
        second[c] += second[part * channels + c];
      }
    }
  }
};

/// The mean of a few rows spread over all of them. (One row alone will not do: the first is a
/// corner of an image, whose padding makes it an outlier.)
std::vector<float> rough_mean(const float* input, int64_t rows, int64_t channels) {
  const int64_t samples = std::min<int64_t>(rows, 16);
  std::vector<float> mean(channels, 0.0f);
  for (int64_t i = 0; i < samples; ++i) {
    const float* row = input + (2 * i + 1) * rows / (2 * samples) * channels;
    for (int64_t c = 0; c < channels; ++c) mean[c] += row[c] / static_cast<float>(samples);
  }
  return mean;
}

}  // namespace

void batch_norm_statistics(const float* input, int64_t rows, int64_t channels, float* mean,
                           float* variance) {
  const std::vector<float> origin = rough_mean(input, rows, channels);
  const ChannelSums sums(rows, channels,
                         [&](double* sum, double* squares, int64_t begin, int64_t end) {
                           HWY_DYNAMIC_DISPATCH(statistics_range)
                           (input, channels, origin.data(), sum, squares, begin, end);
                         });
  for (int64_t c = 0; c < channels; ++c) {
    const double offset = sums.first[c] / double(rows);
    const double raw_variance = sums.second[c] / double(rows) - offset * offset;
    variance[c] = static_cast<float>(std::max(0.0, raw_variance));
    mean[c] = static_cast<float>(origin[c] + offset);
  }
}

void scale_shift(const float* input, int64_t rows, int64_t channels, const float* scale,
                 const float* shift, Activation activation, float* output) {
  parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(scale_shift_range)
    (input, channels, scale, shift, activation, output, begin, end);
  });
}

void batch_norm_backward_sums(const float* input, const float* grad_output, int64_t rows,
                              int64_t channels, const float* mean, const float* scale,
                              const float* shift, Activation activation, float* sum_grad,
                              float* sum_grad_input) {
  const ChannelSums sums(
      rows, channels, [&](double* first, double* second, int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(backward_sums_range)
        (input, grad_output, channels, mean, scale, shift, activation, first, second, begin, end);
      });
  std::copy_n(sums.first.begin(), channels, sum_grad);
  std::copy_n(sums.second.begin(), channels, sum_grad_input);
}

void batch_norm_backward_data(const float* input, const float* grad_output, int64_t rows,
                              int64_t channels, const float* scale, const float* shift,
                              Activation activation, const float* a, const float* b, const float* c,
                              float* grad_input) {
  parallel_for(rows, kGrainRows, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(backward_data_range)
    (input, grad_output, channels, scale, shift, activation, a, b, c, grad_input, begin, end);
  });
}

}  // namespace edgeprune::simd
#endif
