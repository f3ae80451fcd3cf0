#include "engine/ops/distillation.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/check.h"
#include "engine/ops/cross_entropy.h"

namespace edgeprune::ops {
namespace {

/// log softmax(row / temperature).
void log_softmax(const float* row, double temperature, std::vector<double>& result) {
  const size_t classes = result.size();
  const double largest = *std::max_element(row, row + classes) / temperature;
  double sum = 0;
  for (size_t k = 0; k < classes; ++k) {
    result[k] = double(row[k]) / temperature - largest;
    sum += std::exp(result[k]);
  }
  for (double& value : result) value -= std::log(sum);
}

}  // namespace

Variable distillation(const Variable& logits, const Tensor& teacher, std::span<const int> labels,
                      float temperature, float alpha) {
  require(temperature > 0 && std::isfinite(temperature) && alpha >= 0 && alpha <= 1, "distillation",
          "expected a temperature above 0 and alpha in [0,1], got {} and {}", temperature, alpha);
  const Variable hard = cross_entropy(logits, labels);
  const Shape& shape = logits.shape();
  require(teacher.defined() && teacher.shape() == shape, "distillation",
          "expected a teacher's logits {}, got {}", shape.to_string(),
          teacher.defined() ? teacher.shape().to_string() : "none");
  const int64_t batch = shape[0], classes = shape[1];
  // d(alpha * T^2 * KL) / d(logits) = alpha * T * (p - q) / N: computed on the way.
  const double slope = double(alpha) * temperature / double(batch);
  Tensor grad(shape);
  std::vector<double> log_p(static_cast<size_t>(classes)), log_q(log_p);
  double divergence = 0;
  for (int64_t n = 0; n < batch; ++n) {
    log_softmax(logits.value().data() + n * classes, temperature, log_p);
    log_softmax(teacher.data() + n * classes, temperature, log_q);
    for (int64_t k = 0; k < classes; ++k) {
      const auto i = static_cast<size_t>(k);
      const double q = std::exp(log_q[i]);
      divergence += q * (log_q[i] - log_p[i]);
      grad.data()[n * classes + k] = static_cast<float>(slope * (std::exp(log_p[i]) - q));
    }
  }
  const double soft = double(temperature) * temperature * divergence / double(batch);
  const double loss = (1.0 - alpha) * hard.value().data()[0] + alpha * soft;
  return Variable::result(Tensor(Shape{}, static_cast<float>(loss)), {hard, logits},
                          [grad, alpha](const Tensor& grad_output, InputGrads& inputs) {
                            const float g = grad_output.data()[0];
                            inputs.add(0, Tensor(Shape{}, (1.0f - alpha) * g));
                            Tensor scaled = grad.clone();
                            for (float& value : scaled.values()) value *= g;
                            inputs.add(1, scaled);
                          });
}

}  // namespace edgeprune::ops
