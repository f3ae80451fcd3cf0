// Loads a network, trains it a little, zeroes 80 % of its weights, and runs it on dense and on sparse kernels:
//   train_prune_run [CHECKPOINT]    (without one: a small MobileNetV2 with random weights)
#include <edgeprune/data/loader.h>
#include <edgeprune/data/synthetic.h>
#include <edgeprune/engine/base/timer.h>
#include <edgeprune/engine/inference/plan.h>
#include <edgeprune/engine/ops/cross_entropy.h>
#include <edgeprune/models/checkpoint.h>
#include <edgeprune/models/fold.h>
#include <edgeprune/models/networks.h>
#include <edgeprune/pruning/prune.h>

#include <cmath>
#include <cstdio>
#include <exception>

namespace {

using namespace edgeprune;

constexpr int64_t kBatch = 16;

std::unique_ptr<nn::Network> load(const char* checkpoint, int classes) {
  if (checkpoint != nullptr) {
    return load_checkpoint(checkpoint, {.classes = classes}).model;  // another head if need be
  }
  return std::make_unique<nn::Network>(
      build_network({.width = 0.5, .input_size = 64, .classes = classes}), /*seed=*/0);
}

/// One epoch. What the masks zero stays zero.
void train(nn::Network& model, const Dataset& data, const Masks& masks) {
  model.train();
  optim::Adam adam(model.parameters());
  hold_masks(masks, adam);
  Loader loader(data, {.batch = kBatch, .input_size = 64, .shuffle = true});
  Rng dropout(0);
  Batch batch;
  loader.start_epoch(0);
  while (loader.next(batch)) {
    const Variable logits = model.forward(Variable(batch.input), dropout);
    Variable loss = ops::cross_entropy(logits, batch.labels);
    loss.backward();
    adam.step(1e-3f);
    adam.zero_grad();
    std::printf("loss %.3f\n", loss.value().values()[0]);
  }
}

/// Milliseconds an image, the best of a few runs.
double run(inference::Plan& plan, const Tensor& images, Tensor& logits) {
  double best = INFINITY;
  for (int i = 0; i < 10; ++i) {
    const Stopwatch watch;
    plan.run(images.data(), logits.data());
    best = std::min(best, 1e3 * watch.seconds() / double(kBatch));
  }
  return best;
}

void study(const char* checkpoint) {
  const Dataset data = synthetic(/*images=*/160, Split::train, /*seed=*/0);
  auto model = load(checkpoint, static_cast<int>(data.classes.size()));
  train(*model, data, {});

  Pruned pruned = prune(std::move(model), {.method = Method::magnitude, .step = {.fraction = 0.8}});
  train(*pruned.model, data, pruned.masks);

  pruned.model->train(false);
  const inference::Graph graph = fold_batch_norm(*pruned.model);
  inference::Plan dense(graph, inference::Engine::dense, kBatch);
  inference::Plan sparse(graph, inference::Engine::sparse, kBatch);
  Loader loader(data, {.batch = kBatch, .input_size = 64});
  Batch batch;
  loader.start_epoch(0);
  loader.next(batch);
  Tensor dense_logits({kBatch, dense.classes()}), sparse_logits({kBatch, dense.classes()});
  const double dense_ms = run(dense, batch.input, dense_logits);
  const double sparse_ms = run(sparse, batch.input, sparse_logits);
  double difference = 0;
  for (size_t i = 0; i < dense_logits.values().size(); ++i) {
    difference = std::max(difference,
                          std::abs(double(dense_logits.values()[i]) - sparse_logits.values()[i]));
  }
  std::printf("80 %% of the weights are zero: dense %.3f, sparse %.3f ms an image\n", dense_ms,
              sparse_ms);
  require(difference < 1e-3, "train_prune_run", "expected the same logits, they differ by {}",
          difference);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    study(argc > 1 ? argv[1] : nullptr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_prune_run: %s\n", error.what());
    return 1;
  }
}
