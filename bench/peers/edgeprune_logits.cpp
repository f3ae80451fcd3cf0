// The logits of edgeprune's dense engine, or of int8 where the network is quantised, for compare_inference.py to compare its peers' with.

#include "bench/peers/program.h"
#include "engine/base/parallel.h"
#include "engine/inference/plan.h"

namespace edgeprune::bench {
namespace {

Tensor run(const Task& task) {
  const ThreadScope scope(task.threads);
  const int64_t batch = task.images.shape()[0];  // all at once
  const bool integers = task.graph.integers != nullptr;
  inference::Plan plan(task.graph, integers ? inference::Engine::int8 : inference::Engine::dense,
                       batch);
  Tensor logits({batch, plan.classes()});
  plan.run(task.images.data(), logits.data());
  return logits;
}

}  // namespace
}  // namespace edgeprune::bench

int main(int argc, char** argv) {
  return edgeprune::bench::run_program(argc, argv, "Logits of edgeprune's engine",
                                       edgeprune::bench::run);
}
