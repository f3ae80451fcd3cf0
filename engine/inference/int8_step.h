#pragma once

#include <string>
#include <variant>

#include "engine/inference/int8_graph.h"
#include "engine/kernels/int8/conv2d.h"
#include "engine/kernels/int8/depthwise.h"
#include "engine/kernels/int8/pointwise.h"

namespace edgeprune::inference {

/// A layer of a quantised network, packed for the target in use.
class Int8Step {
 public:
  /// Layer `i`. Throws std::invalid_argument, naming it, if its sums could overflow.
  Int8Step(const QuantizedGraph& graph, size_t i);

  /// Images one behind another. `residual` is null where the layer adds none; `scratch`: scratch_size()
  /// bytes. The last layer writes floats.
  void run(int64_t images, const uint8_t* input, const uint8_t* residual, void* output,
           uint8_t* scratch) const;

  const std::string& name() const { return name_; }
  std::string kernel() const;
  int64_t output_bytes() const;  ///< of an image
  int64_t scratch_size() const;  ///< for the thread count in force
  double multiply_adds() const;  ///< of an image

 private:
  struct Pool {};

  std::string name_;
  Conv2dShape shape_;
  Grid input_, output_;
  QuantizedResidual residual_;
  int64_t input_pixel_;
  bool last_;
  std::variant<Pool, int8::PointwiseWeights, int8::DepthwiseWeights, int8::Conv2dWeights> weights_;
};

}  // namespace edgeprune::inference
