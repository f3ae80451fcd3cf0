#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/inference/assignment.h"
#include "engine/inference/engine.h"
#include "engine/inference/graph.h"
#include "engine/inference/stage.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::inference {

class KernelChoices;

/// What one step of a plan does, for each image.
struct StepInfo {
  std::string layer, kernel;
  double flops = 0;         ///< two per multiply-add of the layer
  double kernel_flops = 0;  ///< of these, what this kernel carries out: sparse ones skip zeros
  double bytes = 0;         ///< activations read and written, and the image's share of the weights
  int first = -1;  ///< the first of the layers that run in one step with it; -1: a change of format
  bool integers = false;                      ///< it multiplies integers
  double weight_bytes = 0, weight_share = 0;  ///< of all its weights, and of their share in `bytes`
};

/// A trained network as a flat list of steps for one batch size, engine and thread count, with
/// buffers assigned once.
///
/// The steps stand in stages. Large maps are run image by image, small ones a few images at a time
/// (enough columns for the vectors, little enough for the second-level cache), and threads take
/// images of their own; only a batch too small for that is shared inside the steps.
class Plan {
 public:
  /// Plans for the thread count in force, and runs with it. `automatic` times
  /// what `choices` (may be null) does not know yet, and adds it. Throws
  /// std::invalid_argument naming a layer that the engine does not know.
  Plan(const Graph& graph, Engine engine, int64_t batch, KernelChoices* choices = nullptr);
  /// Each layer on the kernel it is given. Throws std::invalid_argument naming a layer that its kernel
  /// cannot run.
  Plan(const Graph& graph, const Assignment& assignment, int64_t batch);

  /// images [batch,H,W,C] (normalised) to logits [batch,classes]. `seconds` (may be null): each
  /// step's wall-clock time is added to it, the mean over the threads where they run side by side;
  /// one a step, in the order of steps(). Not to be called from two threads at once.
  void run(const float* images, float* logits, std::vector<double>* seconds = nullptr,
           Timing timing = Timing::layers);

  int64_t batch() const { return batch_; }
  int64_t classes() const { return classes_; }
  int64_t image_size() const { return image_size_; }  ///< floats an image
  /// Of all intermediate activations and scratch together.
  int64_t arena_bytes() const {
    return (arenas_.count() + handed_on_.count()) * int64_t{sizeof(float)};
  }

  /// In the order they run; changes of layout, which have no flops, under the name of the layer
  /// they precede.
  const std::vector<StepInfo>& steps() const { return steps_; }

 private:
  void build(const Graph& graph, const Assignment& assignment);
  void finish(const Graph& graph);
  /// `image_bytes`: of what it reads of an image.
  void run_stage(const Stage& stage, const View& input, int64_t image_bytes, std::byte* output,
                 double* seconds, Timing timing);

  int64_t batch_, classes_ = 0, image_size_ = 0;
  int threads_;
  std::vector<Stage> stages_;
  std::vector<StepInfo> steps_;
  // Memory for maps of any number type, in floats because a Tensor's memory is recycled.
  Tensor arenas_;                // [threads, largest arena]
  Tensor handed_on_;             // what the first stage hands to the second, of the whole batch
  std::vector<double> seconds_;  // of one run of a stage, [threads, its steps]
};

}  // namespace edgeprune::inference
