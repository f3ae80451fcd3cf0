#pragma once
// What the programs of compare_inference.py share: their options, the images they read, the logits
// they write. Both files are bare float32 values, channels-last.

#include <functional>
#include <string>

#include "engine/inference/graph.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::bench {

/// A network, what it runs on, and for how long.
struct Task {
  inference::Graph graph;
  Tensor images;      ///< [N,S,S,3], normalised
  int64_t batch = 1;  ///< so many of them at a time
  bool all = false;   ///< all images of the file once, instead of measuring by the first `batch`
  int threads = 1;
  double seconds = 0;  ///< of measuring, for a program that measures
};

/// The program: parses its options, loads the checkpoint and the images, and writes the logits that
/// `run` gives. Returns the exit code; an error is one line on stderr.
int run_program(int argc, char** argv, const std::string& description,
                const std::function<Tensor(const Task&)>& run);

}  // namespace edgeprune::bench
