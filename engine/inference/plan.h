#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

enum class Engine {
  dense,      ///< oneDNN and our own depthwise kernels, channels-last
  sparse,     ///< CSR weights in every 1x1 convolution and the head, activations in panels
              ///< (engine/kernels/panels/panel_layout.h)
  automatic,  ///< "auto"
  onednn,
};
const char* to_string(Engine engine);
/// All of them, as parse_engine() takes them.
std::vector<std::string> engine_names();
/// Throws std::invalid_argument listing the choices.
Engine parse_engine(const std::string& name);

/// What a step does, an image.
struct StepInfo {
  std::string layer;         ///< several steps may belong to one layer
  std::string kernel;        ///< "onednn", "csr", ...
  double flops = 0;          ///< multiply-adds x 2, zero weights included
  double nonzero_flops = 0;  ///< what the kernel computes: less than `flops` if it skips zeros
  double bytes = 0;          ///< weights, activations read and written
};

struct StepTimes {
  std::vector<double> seconds;  ///< one a step; run() adds the time of the whole batch
};

/// A trained network as a flat list of steps for one batch size, engine and thread count, with
/// buffers assigned once.
class Plan {
 public:
  /// Plans for the thread count in force, and is to be run with it. Throws std::invalid_argument
  /// naming a layer that the engine does not know.
  Plan(const Graph& graph, Engine engine, int64_t batch);

  /// images [batch,H,W,C] (normalised) to logits [batch,classes]. Not to be called from two threads
  /// at once.
  void run(const float* images, float* logits, StepTimes* times = nullptr);

  int64_t batch() const { return batch_; }
  int64_t classes() const { return classes_; }
  int64_t image_size() const { return image_size_; }  ///< floats an image
  int64_t arena_size() const {
    return arena_.count();
  }  ///< floats of all intermediate activations together

  /// In the order they run.
  std::vector<StepInfo> steps() const;

  /// "layer: kernel", in the order they run.
  std::vector<std::string> describe() const;

 private:
  struct Entry {
    std::string layer;
    std::unique_ptr<Step> step;
    int input = -1;     ///< index of the entry whose output it reads; -1: the images
    int residual = -1;  ///< likewise; -1: none
    float* output = nullptr;
    double flops = 0, nonzero_flops = 0, bytes = 0;
  };

  int append(const std::string& layer, std::unique_ptr<Step> step, int input, int residual = -1);
  void assign_buffers();

  int64_t batch_, classes_, image_size_;
  std::vector<Entry> entries_;
  Tensor arena_;
};

}  // namespace edgeprune::inference
