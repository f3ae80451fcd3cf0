#include "engine/ops/fake_quantize.h"

#include <cmath>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/profiler.h"

namespace edgeprune::ops {
namespace {
constexpr int64_t kValuesAtOnce = 4096;  // so that a thread has microseconds of work
}

Variable fake_quantize(const Variable& input, const Grid& grid) {
  require(grid.scale > 0 && std::isfinite(grid.scale), "fake_quantize",
          "expected a positive scale, got {}", grid.scale);
  const Tensor& x = input.value();
  const Cost cost{0, 2.0 * sizeof(float) * double(x.count())};
  const Timed timed("fake quantisation", Phase::forward, cost);
  Tensor output(x.shape());
  parallel_for(x.count(), kValuesAtOnce, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      output.data()[i] = grid.value(grid.quantize(x.data()[i]));
    }
  });
  return Variable::result(
      output, {input}, [x, grid, cost](const Tensor& grad_output, InputGrads& inputs) {
        const Timed backward("fake quantisation", Phase::backward, cost);
        Tensor grad_input(x.shape());
        // Half a step beyond the ends is rounded to them and still counts as inside.
        const float low = grid.least() - grid.scale / 2, high = grid.greatest() + grid.scale / 2;
        parallel_for(x.count(), kValuesAtOnce, [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i) {
            const bool inside = x.data()[i] >= low && x.data()[i] <= high;
            grad_input.data()[i] = inside ? grad_output.data()[i] : 0.0f;
          }
        });
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
    for (int64_t i = o * per_row; i < (o + 1) * per_row; ++i) {
      output.data()[i] = grid.value(grid.quantize(w.data()[i]));
    }
  }
  return Variable::result(output, {weight}, [](const Tensor& grad_output, InputGrads& inputs) {
    inputs.add(0, grad_output);
  });
}

}  // namespace edgeprune::ops
