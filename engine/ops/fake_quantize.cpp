#include "engine/ops/fake_quantize.h"

#include <cmath>

#include "engine/base/check.h"
#include "engine/base/profiler.h"
#include "engine/kernels/simd/elementwise.h"

namespace edgeprune::ops {

Variable fake_quantize(const Variable& input, const Grid& grid, Activation activation) {
  require(grid.scale > 0 && std::isfinite(grid.scale), "fake_quantize",
          "expected a positive scale, got {}", grid.scale);
  const Tensor& x = input.value();
  const Cost cost{0, 2.0 * sizeof(float) * double(x.count())};
  const Timed timed("fake quantisation", Phase::forward, cost);
  Tensor output(x.shape());
  simd::round_to_grid(activation, grid, x.data(), x.count(), output.data());
  return Variable::result(
      output, {input}, [x, grid, activation, cost](const Tensor& grad_output, InputGrads& inputs) {
        const Timed backward("fake quantisation", Phase::backward, cost);
        Tensor grad_input(x.shape());
        simd::round_to_grid_gradient(activation, grid, x.data(), grad_output.data(), x.count(),
                                     grad_input.data());
        inputs.add(0, grad_input);
      });
}

Variable fake_quantize_rows(const Variable& weight, std::span<const float> scales, int highest) {
  const Tensor& w = weight.value();
  require(w.shape().rank() > 0 && std::ssize(scales) == w.dim(0), "fake_quantize",
          "expected a scale for each output of weight {}, got {}", w.shape(), scales.size());
  Tensor output(w.shape());
  const int64_t per_row = w.count() / w.dim(0);
  for (int64_t o = 0; o < w.dim(0); ++o) {
    const Grid grid{scales[static_cast<size_t>(o)], 0, -highest, highest};
    const int64_t row = o * per_row;
    simd::round_to_grid(Activation::none, grid, w.data() + row, per_row, output.data() + row);
  }
  return Variable::result(output, {weight}, [](const Tensor& grad_output, InputGrads& inputs) {
    inputs.add(0, grad_output);
  });
}

}  // namespace edgeprune::ops
