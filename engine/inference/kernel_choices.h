#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/inference/assignment.h"
#include "engine/inference/kernel_times.h"

namespace edgeprune::inference {

/// What the engine `automatic` runs a graph on, and why.
struct Choice {
  /// A kernel that could run the layers from `first` on.
  struct Alternative {
    size_t first = 0;
    const Kernel* kernel = nullptr;
    double seconds = 0;  ///< an image
    bool taken = false;
  };
  struct WholePlan {
    std::string name;  ///< "dense", "onednn" ...; "mixed...": a cheapest path
    double seconds = 0;
    bool taken = false;
  };

  Assignment assignment;
  std::vector<Alternative> alternatives;  ///< as the plan that was taken groups its images
  std::vector<WholePlan> plans;
};

/// Chooses among all kernels that support a layer, by times taken on this machine.
///
/// Every one is timed inside whole plans, what runs as one step as one. The cheapest path through the
/// layers, changes of format included, is what `automatic` would run (cheapest.h). But parts that are
/// measured one by one are not the whole: so it then takes turns with the plans of the single engines,
/// and the fastest plan is taken. A layer leaves the fastest engine's kernel, and a graph the engine,
/// only for more than the noise of timing.
class KernelChoices {
 public:
  /// For that batch on the threads in force. Times are taken where they are missing, which lasts
  /// seconds. A layer of a quantised network may go to a kernel in floats, which computes with what weights
  /// and maps stand for: the logits are then near the engine int8's, not the same bits.
  Choice choose(const Graph& graph, int64_t batch);

  /// What is known. May be filled from a file.
  KernelTimes::Table times;
  /// Told what is going to be timed; may be empty.
  std::function<void(const std::string&)> progress;
};

}  // namespace edgeprune::inference
