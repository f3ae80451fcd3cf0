#pragma once

#include <memory>
#include <vector>

#include "engine/inference/int8_graph.h"
#include "engine/inference/int8_step.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::inference {

/// A quantised network as a flat list of kernels for one batch size and thread count, with buffers
/// assigned once. Some images at a time run through all of it, so many that what a layer hands on
/// stays in the core's own cache; threads take images of their own, and share only a single one.
class Int8Plan {
 public:
  /// For the target and the thread count in force. Throws std::invalid_argument if sums could overflow.
  Int8Plan(const QuantizedGraph& graph, int64_t batch);

  /// images [batch,H,W,C] (normalised) to logits [batch,classes]: the same bits on every target, for any
  /// number of threads and any batch. Not to be called from two threads at once.
  void run(const float* images, float* logits);

  /// The same, and each layer's time added to its entry of `seconds`, the mean over the threads; what
  /// quantising the images takes is in the first one's.
  void run(const float* images, float* logits, std::vector<double>& seconds);

  int64_t batch() const { return batch_; }
  int64_t classes() const { return classes_; }
  int64_t arena_bytes() const { return arena_bytes_ * arenas_; }
  const std::vector<Int8Step>& steps() const { return steps_; }

 private:
  void assign_buffers(const QuantizedGraph& graph);
  void run_images(const float* images, int64_t count, uint8_t* arena, float* logits,
                  double* seconds) const;
  void run_groups(const float* images, float* logits, double* seconds);

  int64_t batch_, classes_, group_ = 1, arena_bytes_ = 0, scratch_offset_ = 0, arenas_ = 1;
  int threads_;
  Grid images_;
  Conv2dShape first_;
  std::vector<Int8Step> steps_;
  std::vector<int> inputs_, residuals_;  ///< of each step: layers, -1: images, none
  std::vector<int64_t> offsets_;         ///< of each step's output in the arena
  int64_t images_offset_ = 0;
  std::shared_ptr<float[]> arena_;
  std::vector<double> seconds_;  ///< of one run, [arenas, steps]
};

}  // namespace edgeprune::inference
