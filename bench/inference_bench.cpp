// MobileNetV2 at 64x64 from images to logits, by the dense and the sparse engine, on random weights
// pruned by global magnitude. Two rates, as in spmm_bench.cpp; "nonzero" counts all layers.

#include <fmt/format.h>

#include <memory>

#include "bench/support.h"
#include "engine/base/random.h"
#include "engine/inference/plan.h"
#include "engine/nn/network.h"
#include "models/fold.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "pruning/masks.h"

namespace edgeprune::bench {
namespace {

using inference::Engine;

struct Network {
  inference::Graph graph;
  ModelSummary summary;
};

/// A network whose logits depend on its input at any sparsity: all weights of one scale, so that
/// magnitude pruning empties no layer, and batch norm set to what it sees.
Network pruned_network(double sparsity) {
  nn::Network model(mobilenet_v2(1.0, 64, 10), 1);
  Rng rng(2);
  for (PrunableWeight& weight : prunable_weights(model)) {
    for (float& w : weight.variable.value().values()) w = rng.normal();
  }
  apply_masks(make_masks(model, Method::magnitude, sparsity), model);
  for (const auto& norm : model.norms()) norm->state.momentum = 1.0f;
  const NoGrad no_grad;
  model.forward(Variable(random_tensor({16, 64, 64, 3}, 3)), rng);
  return {fold_batch_norm(model), summarize(model)};
}

Work inference_work(const Network& network, Engine engine, int64_t batch) {
  const Tensor images = random_tensor({batch, 64, 64, 3}, 4);
  const auto plan = std::make_shared<inference::Plan>(network.graph, engine, batch);
  Tensor logits({batch, plan->classes()});
  Work work;
  work.run = [=]() mutable { plan->run(images.data(), logits.data()); };
  work.error = [=] {
    inference::Plan other(network.graph, engine == Engine::onednn ? Engine::dense : Engine::onednn,
                          batch);
    Tensor expected(logits.shape());
    other.run(images.data(), expected.data());
    return relative_error(logits, expected);
  };
  const ModelSummary& cost = network.summary;
  work.counters = {{"images/s", rate(double(batch))},
                   {"GFLOP/s(nonzero)", rate(2e-9 * double(cost.nonzero_multiply_adds * batch))},
                   {"GFLOP/s(dense_equivalent)", rate(2e-9 * double(cost.multiply_adds * batch))}};
  return work;
}

}  // namespace

void register_benchmarks() {
  for (const int percent : {0, 50, 90}) {
    const Network network = pruned_network(percent / 100.0);
    for (const int64_t batch : {1, 64}) {
      for (const Engine engine :
           {Engine::dense, Engine::sparse, Engine::automatic, Engine::onednn}) {
        add(fmt::format("inference/batch:{}/sparsity:{}/{}", batch, percent, to_string(engine)),
            [=] { return inference_work(network, engine, batch); });
      }
    }
  }
}

}  // namespace edgeprune::bench
