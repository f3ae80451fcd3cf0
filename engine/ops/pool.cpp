#include "engine/ops/pool.h"

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/profiler.h"
#include "engine/kernels/simd/max_pool.h"

namespace edgeprune::ops {
namespace {

/// body(row, image) for each pixel's row [C], all of an image's on one thread.
template <typename Body>
void for_each_row(int64_t images, int64_t pixels, const Body& body) {
  parallel_for(images, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin * pixels; row < end * pixels; ++row) body(row, row / pixels);
  });
}

}  // namespace

Variable global_average_pool(const Variable& input) {
  const Shape shape = input.shape();
  require(shape.rank() == 4 && shape.count() > 0, "global_average_pool",
          "expected [N,H,W,C], got {}", shape);
  const Cost cost{0, sizeof(float) * double(shape.count())};
  const Timed timed("pool", Phase::forward, cost);
  const int64_t pixels = shape[1] * shape[2], channels = shape[3];
  const float scale = 1.0f / static_cast<float>(pixels);
  Tensor output({shape[0], channels}, 0.0f);
  const Tensor& x = input.value();
  for_each_row(shape[0], pixels, [&](int64_t row, int64_t image) {
    const float* from = x.data() + row * channels;
    float* to = output.data() + image * channels;
    for (int64_t c = 0; c < channels; ++c) to[c] += scale * from[c];
  });
  return Variable::result(
      output, {input},
      [shape, pixels, channels, scale, cost](const Tensor& grad_output, InputGrads& inputs) {
        const Timed backward("pool", Phase::backward, cost);
        Tensor grad_input(shape);
        for_each_row(shape[0], pixels, [&](int64_t row, int64_t image) {
          const float* from = grad_output.data() + image * channels;
          float* to = grad_input.data() + row * channels;
          for (int64_t c = 0; c < channels; ++c) to[c] = scale * from[c];
        });
        inputs.add(0, grad_input);
      });
}

Variable max_pool(const Variable& input, const MaxPoolParams& p) {
  const Shape& x = input.shape();
  require(x.rank() == 4 && x.count() > 0, "max_pool", "expected [N,H,W,C], got {}", x);
  require(
      p.kernel >= 1 && p.stride >= 1 && p.padding >= 0 && p.padding <= p.kernel / 2, "max_pool",
      "expected a kernel and a stride of at least 1 and at most half a kernel of padding, got {}, "
      "{} and {} (input {})",
      p.kernel, p.stride, p.padding, x);
  require(x[1] + 2 * p.padding >= p.kernel && x[2] + 2 * p.padding >= p.kernel, "max_pool",
          "the {}x{} window is larger than the padded input (input {}, padding {})", p.kernel,
          p.kernel, x, p.padding);
  const Conv2dShape shape{.batch = x[0],
                          .in_height = x[1],
                          .in_width = x[2],
                          .in_channels = x[3],
                          .out_channels = x[3],
                          .kernel = p.kernel,
                          .stride = p.stride,
                          .padding = p.padding,
                          .groups = x[3]};
  const Cost cost{0, sizeof(float) * double(shape.input_count() + 2 * shape.output_count())};
  const Timed timed("pool", Phase::forward, cost);
  Tensor output({x[0], shape.out_height(), shape.out_width(), x[3]});
  const bool wants_taps = grad_enabled() && input.requires_grad();
  Tensor taps;
  if (wants_taps) taps = Tensor(output.shape());
  simd::max_pool(shape, input.value().data(), output.data(), wants_taps ? taps.data() : nullptr);
  return Variable::result(
      output, {input}, [shape, taps, cost](const Tensor& grad_output, InputGrads& inputs) {
        const Timed backward("pool", Phase::backward, cost);
        Tensor grad_input({shape.batch, shape.in_height, shape.in_width, shape.in_channels});
        simd::max_pool_backward(shape, grad_output.data(), taps.data(), grad_input.data());
        inputs.add(0, grad_input);
      });
}

}  // namespace edgeprune::ops
