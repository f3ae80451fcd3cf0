#include "engine/kernels/reference/conv2d.h"

#include <algorithm>
#include <vector>

#include "engine/kernels/reference/activation.h"

namespace edgeprune::reference {
namespace {

/// Calls body(output index, input index, weight index) for every multiply-add of the convolution.
template <typename Body>
void for_each_multiply_add(const Conv2dShape& s, const Body& body) {
  const int64_t in_group = s.in_channels / s.groups;
  const int64_t out_group = s.out_channels / s.groups;
  for (int64_t n = 0; n < s.batch; ++n) {
    for (int64_t oh = 0; oh < s.out_height(); ++oh) {
      for (int64_t ow = 0; ow < s.out_width(); ++ow) {
        for (int64_t o = 0; o < s.out_channels; ++o) {
          const int64_t out = ((n * s.out_height() + oh) * s.out_width() + ow) * s.out_channels + o;
          for (int64_t i = 0; i < in_group; ++i) {
            for (int64_t kh = 0; kh < s.kernel; ++kh) {
              for (int64_t kw = 0; kw < s.kernel; ++kw) {
                const int64_t ih = oh * s.stride - s.padding + kh;
                const int64_t iw = ow * s.stride - s.padding + kw;
                if (ih < 0 || ih >= s.in_height || iw < 0 || iw >= s.in_width) continue;
                const int64_t in = ((n * s.in_height + ih) * s.in_width + iw) * s.in_channels +
                                   o / out_group * in_group + i;
                body(out, in, ((o * in_group + i) * s.kernel + kh) * s.kernel + kw);
              }
            }
          }
        }
      }
    }
  }
}

void store(const std::vector<double>& sums, float* values) {
  std::transform(sums.begin(), sums.end(), values, [](double sum) { return float(sum); });
}

}  // namespace

void conv2d_forward(const Conv2dShape& s, const float* input, const float* weights,
                    const float* bias, const float* residual, Activation activation,
                    float* output) {
  std::vector<double> sums(s.output_count(), 0.0);
  for_each_multiply_add(s, [&](int64_t out, int64_t in, int64_t weight) {
    sums[out] += double(input[in]) * weights[weight];
  });
  for (int64_t out = 0; out < s.output_count(); ++out) {
    if (bias != nullptr) sums[out] += bias[out % s.out_channels];
    if (residual != nullptr) sums[out] += residual[out];
    sums[out] = activate(activation, sums[out]);
  }
  store(sums, output);
}

void conv2d_backward_data(const Conv2dShape& s, const float* grad_output, const float* weights,
                          float* grad_input) {
  std::vector<double> sums(s.input_count(), 0.0);
  for_each_multiply_add(s, [&](int64_t out, int64_t in, int64_t weight) {
    sums[in] += double(grad_output[out]) * weights[weight];
  });
  store(sums, grad_input);
}

void conv2d_backward_weights(const Conv2dShape& s, const float* input, const float* grad_output,
                             float* grad_weights) {
  std::vector<double> sums(s.weight_count(), 0.0);
  for_each_multiply_add(s, [&](int64_t out, int64_t in, int64_t weight) {
    sums[weight] += double(grad_output[out]) * input[in];
  });
  store(sums, grad_weights);
}

}  // namespace edgeprune::reference
