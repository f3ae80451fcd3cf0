// One training step of MobileNetV2: forward, backward, Adam; random images and labels; on
// one thread and on all, with the milliseconds of every family of operations (the optimiser's are
// those of "optimizer backward", as in `edgeprune train --profile`).
// fresh_blocks: memory taken from the system, a step; zero once the buffers are recycled.

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "bench/support.h"
#include "engine/base/parallel.h"
#include "engine/base/profiler.h"
#include "engine/base/random.h"
#include "engine/nn/network.h"
#include "engine/ops/cross_entropy.h"
#include "engine/optim/optimizer.h"
#include "models/mobilenet_v2.h"

namespace edgeprune::bench {
namespace {

/// Small, so that the network stays what it was however long it is timed.
constexpr float kLearningRate = 1e-6f;

struct Training {
  Training(int64_t side, int64_t batch)
      : model(mobilenet_v2(1.0, side, 10), 1),
        adam(model.parameters()),
        images(random_tensor({batch, side, side, 3}, 2)) {
    Rng rng(3);
    for (int64_t i = 0; i < batch; ++i) labels.push_back(static_cast<int>(rng.below(10)));
  }

  Variable loss() {
    Rng dropout(4);  // the same values drop every time
    return ops::cross_entropy(model.forward(Variable(images), dropout), labels);
  }

  void gradients() {
    adam.zero_grad();
    loss().backward();
  }

  void step() {
    gradients();
    const Timed timed("optimizer", Phase::backward, {});
    adam.step(kLearningRate);
  }

  nn::Network model;
  optim::Adam adam;
  Tensor images;
  std::vector<int> labels;
};

/// Depthwise weights, the other weights, batch norm's parameters and the head's bias: the few of
/// one kind would not show among the many of another.
int kind_of(const Shape& shape) {
  if (shape.rank() == 1) return 2;
  return shape[1] == 1 ? 0 : 1;
}

/// Forward, backward and Adam against each other, by kind of parameter. With one gradient g in its
/// moments Adam moves every weight by the learning rate r against g's sign, so that the loss falls
/// by r * sum |g|; a step back over twice the distance gives the central difference. (Finds what is
/// wrong in g, not what is missing from it: for that tests/models/golden_test.cpp has PyTorch's.)
double slope_error(int64_t side, int64_t batch) {
  Training training(side, batch);
  training.gradients();
  double total = 0;
  for (int kind = 0; kind < 3; ++kind) {
    std::vector<NamedVariable> parameters = training.model.parameters();
    std::erase_if(parameters, [&](const auto& p) { return kind_of(p.variable.shape()) != kind; });
    double sum = 0;
    for (const NamedVariable& parameter : parameters) {
      for (const float g : parameter.variable.grad().values()) sum += std::abs(g);
    }
    const NoGrad no_grad;
    optim::Adam adam(parameters);
    adam.step(kLearningRate);
    const double below = training.loss().value().data()[0];
    adam.step(-2 * kLearningRate);
    const double above = training.loss().value().data()[0];
    adam.step(kLearningRate);
    total += std::abs((above - below) / (2 * double(kLearningRate) * sum) - 1);
  }
  return total;
}

}  // namespace

void register_benchmarks() {
  const std::pair<int64_t, int64_t> inputs[] = {{64, 32}, {64, 128}, {96, 32}, {224, 16}};
  for (const auto& [side, batch] : inputs) {
    for (const int threads : std::set<int>{1, thread_count()}) {
      const std::string name =
          fmt::format("train_step/input:{}/batch:{}/threads:{}", side, batch, threads);
      add(name, [side = side, batch = batch, threads] {
        const auto training = std::make_shared<Training>(side, batch);
        Work work;
        work.run = [=] { training->step(); };
        work.error = [=] { return slope_error(side, batch); };
        work.tolerance = 0.03;
        work.counters = {{"images/s", rate(double(batch))}};
        work.threads = threads;
        work.count_fresh_blocks = true;
        work.profile = true;
        return work;
      });
    }
  }
}

}  // namespace edgeprune::bench
