#include "engine/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune::ops {

Variable cross_entropy(const Variable& logits, std::span<const int> labels,
                       const Targets& targets) {
  const Shape& shape = logits.shape();
  require(shape.rank() == 2 && shape.count() > 0 && shape[0] == static_cast<int64_t>(labels.size()),
          "cross_entropy", "expected logits [N,K] and N labels, got logits {} and {} labels",
          shape.to_string(), labels.size());
  const int64_t batch = shape[0], classes = shape[1];
  const auto& weights = targets.class_weights;
  const double smoothing = targets.smoothing;
  require(smoothing >= 0 && smoothing < 1, "cross_entropy",
          "expected a label smoothing from 0 to below 1, got {}", smoothing);
  require(weights.empty() || std::ssize(weights) == classes, "cross_entropy",
          "expected {} class weights, got {}", classes, weights.size());
  const auto weight = [&](int64_t k) { return weights.empty() ? 1.0 : weights[size_t(k)]; };
  double total = 0;  // of the images' weights
  for (int64_t n = 0; n < batch; ++n) {
    const int label = labels[static_cast<size_t>(n)];
    require(label >= 0 && label < classes, "cross_entropy", "label {} of image {} is not in [0,{})",
            label, n, classes);
    require(weight(label) >= 0, "cross_entropy", "expected class weights of 0 or more, got {}",
            weight(label));
    total += weight(label);
  }
  require(total > 0, "cross_entropy", "the class weights of all labels are 0");
  Tensor grad(shape);  // (softmax * sum of targets - targets) / total: what backward needs
  double loss = 0;
  std::vector<double> target(static_cast<size_t>(classes));
  for (int64_t n = 0; n < batch; ++n) {
    double targets_sum = 0;
    for (int64_t k = 0; k < classes; ++k) {
      const double hard = k == labels[static_cast<size_t>(n)] ? 1.0 - smoothing : 0.0;
      target[size_t(k)] = weight(k) * (hard + smoothing / double(classes));
      targets_sum += target[size_t(k)];
    }
    const float* row = logits.value().data() + n * classes;
    const float largest = *std::max_element(row, row + classes);
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(double(row[k]) - largest);
    for (int64_t k = 0; k < classes; ++k) {
      const double probability = std::exp(double(row[k]) - largest) / sum;
      grad.data()[n * classes + k] =
          static_cast<float>((probability * targets_sum - target[size_t(k)]) / total);
      // (Zero times infinity would be no number.)
      if (target[size_t(k)] > 0) loss += target[size_t(k)] * (std::log(sum) + largest - row[k]);
    }
  }
  const float mean = static_cast<float>(loss / total);
  return Variable::result(Tensor(Shape{}, mean), {logits},
                          [grad](const Tensor& grad_output, InputGrads& inputs) {
                            Tensor scaled = grad.clone();
                            for (float& g : scaled.values()) g *= grad_output.data()[0];
                            inputs.add(0, scaled);
                          });
}

}  // namespace edgeprune::ops
