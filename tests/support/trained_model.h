#pragma once
// A model that behaves as a trained one, without training.

#include <memory>

#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "tests/support/tensors.h"

namespace edgeprune::testing {

/// Random affine maps, and the running statistics of a batch: activations keep their size down to
/// the last layer, as in a trained network, so that the logits depend on the image. In evaluation
/// mode.
inline std::unique_ptr<nn::Network> trained_model(const Graph& graph) {
  auto model = std::make_unique<nn::Network>(graph, 1);
  uint64_t seed = 100;
  for (const auto& norm : model->norms()) {
    const Shape shape{norm->shape.out_channels};
    norm->weight.value().copy_from(random_tensor(shape, ++seed, 0.5f, 1.5f));
    norm->bias.value().copy_from(random_tensor(shape, ++seed, -0.5f, 0.5f));
    norm->state.momentum = 1.0f;
  }
  const NoGrad no_grad;
  Rng rng(0);
  const int64_t size = graph.input_size();
  model->forward(Variable(random_tensor({16, size, size, 3}, 3)), rng);
  for (const auto& norm : model->norms()) norm->state.momentum = ops::BatchNormState{}.momentum;
  model->train(false);
  return model;
}

inline std::unique_ptr<nn::Network> trained_model(double width) {
  return trained_model(mobilenet_v2(width, 32, 10));
}

/// The logits of images [N,S,S,3], by the model's own forward pass.
inline Tensor logits_of(nn::Network& model, const Tensor& images) {
  const NoGrad no_grad;
  Rng unused(0);
  return model.forward(Variable(images), unused).value();
}

/// How far logits [N,K] are from the first image's, as a share of the largest one. A network that
/// ignores the image, at 0, would hide every mistake.
inline double spread(const Tensor& logits) {
  double largest = 0, difference = 0;
  for (int64_t i = 0; i < logits.count(); ++i) {
    const double logit = logits.data()[i], first = logits.data()[i % logits.dim(1)];
    largest = std::max(largest, std::abs(logit));
    difference = std::max(difference, std::abs(logit - first));
  }
  return difference == 0 ? 0 : difference / largest;
}

}  // namespace edgeprune::testing
