#include "engine/ops/pool.h"

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/profiler.h"

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

}  // namespace edgeprune::ops
