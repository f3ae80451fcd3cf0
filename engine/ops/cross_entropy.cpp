#include "engine/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune::ops {

Variable cross_entropy(const Variable& logits, std::span<const int> labels) {
  const Shape& shape = logits.shape();
  require(shape.rank() == 2 && shape.count() > 0 && shape[0] == static_cast<int64_t>(labels.size()),
          "cross_entropy", "expected logits [N,K] and N labels, got logits {} and {} labels",
          shape.to_string(), labels.size());
  const int64_t batch = shape[0], classes = shape[1];
  Tensor grad(shape);  // (softmax - one-hot) / N: what backward needs, computed on the way
  double loss = 0;
  for (int64_t n = 0; n < batch; ++n) {
    const int label = labels[static_cast<size_t>(n)];
    require(label >= 0 && label < classes, "cross_entropy", "label {} of image {} is not in [0,{})",
            label, n, classes);
    const float* row = logits.value().data() + n * classes;
    const float largest = *std::max_element(row, row + classes);
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(double(row[k]) - largest);
    for (int64_t k = 0; k < classes; ++k) {
      const double probability = std::exp(double(row[k]) - largest) / sum;
      grad.data()[n * classes + k] =
          static_cast<float>((probability - (k == label ? 1.0 : 0.0)) / double(batch));
    }
    loss += std::log(sum) + largest - row[label];
  }
  const float mean = static_cast<float>(loss / double(batch));
  return Variable::result(Tensor(Shape{}, mean), {logits},
                          [grad](const Tensor& grad_output, InputGrads& inputs) {
                            Tensor scaled = grad.clone();
                            for (float& g : scaled.values()) g *= grad_output.data()[0];
                            inputs.add(0, scaled);
                          });
}

}  // namespace edgeprune::ops
