#pragma once

#include <cstdint>
#include <string>

namespace edgeprune::inference {

/// One kernel call of a plan. Sizes and weights are fixed when it is made; run() allocates nothing
/// and keeps nothing, so that threads can share a step, each with buffers of its own.
class Step {
 public:
  virtual ~Step() = default;
  /// `residual` is null where the layer adds none; `scratch`: scratch_size() floats of any content.
  virtual void run(const float* input, const float* residual, float* output, float* scratch) = 0;
  /// In floats.
  virtual int64_t output_size() const = 0;
  /// In floats, for the thread count in force when the step was made.
  virtual int64_t scratch_size() const { return 0; }
  /// Of the weights that run() reads.
  virtual int64_t weight_bytes() const { return 0; }
  /// The share of the weights that run() multiplies.
  virtual double density() const { return 1; }
  /// "onednn", "dense", "csr", ...
  virtual std::string kernel() const = 0;
};

}  // namespace edgeprune::inference
