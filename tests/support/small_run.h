#pragma once
// The smallest training run that is one: a network of width 0.25 on 32x32 synthetic images.

#include <signal.h>

#include <string>

#include "data/synthetic.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "tools/cli/interrupt.h"
#include "tools/training/trainer.h"

namespace edgeprune::testing {

struct SmallRun {
  explicit SmallRun(int64_t images = 96, uint64_t data_seed = 0)
      : training(synthetic(images, Split::train, data_seed)), model(mobilenet_v2(0.25, 32, 10), 3) {
    info.classes = training.classes;
    options.epochs = 2;
    options.batch = 32;
    options.seed = 5;
  }

  TrainResult train(const TrainState& state = {}, const EpochCallback& on_epoch = {}) {
    return edgeprune::train(model, info, training, validation.size() > 0 ? &validation : nullptr,
                            masks, options, state, on_epoch);
  }

  /// The arguments are a run's of which this is a part: Ctrl-C comes during its first step.
  /// False if it was finished.
  bool train_one_batch(const TrainState& state) {
    const InterruptGuard guard;
    ::raise(SIGINT);
    try {
      train(state);
      return false;
    } catch (const Interrupted&) {
      return true;
    }
  }

  Dataset training, validation;
  nn::Network model;
  ModelInfo info;
  Masks masks;
  TrainOptions options;
};

/// Bit for bit, batch norm's statistics included.
inline bool same_weights(const nn::Network& a, const nn::Network& b) {
  const auto left = a.state_dict(), right = b.state_dict();
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && x.second.bytes == y.second.bytes;
                    });
}

}  // namespace edgeprune::testing
