#pragma once

#include <cstdint>
#include <string>

#include "engine/base/timer.h"

namespace edgeprune::inference {

/// One kernel call of a plan. Sizes and weights are fixed when it is made; run() allocates nothing (but oneDNN's)
/// and keeps nothing, so that threads can share a step, each with buffers of its own.
class Step {
 public:
  virtual ~Step() = default;
  /// `residual` is null where the layer adds none; `scratch`: scratch_size() floats of any content.
  virtual void run(const float* input, const float* residual, float* output, float* scratch) = 0;
  /// In floats, of which maps in bytes take a quarter as many.
  virtual int64_t output_size() const = 0;
  /// Bytes of a value that it reads.
  virtual int64_t value_bytes() const { return sizeof(float); }
  /// In floats, for the thread count in force when the step was made.
  virtual int64_t scratch_size() const { return 0; }
  /// Of the weights that run() reads.
  virtual int64_t weight_bytes() const { return 0; }
  /// The share of the dense weights' products that run() takes.
  virtual double density() const { return 1; }
  /// Whether it multiplies integers.
  virtual bool integers() const { return false; }
  /// "onednn", "dense", "csr", ...
  virtual std::string kernel() const = 0;

  /// A step may be made of several, layers that it runs interlocked.
  virtual int parts() const { return 1; }
  virtual const Step& part(int) const { return *this; }
  /// run(); adds each part's time to its entry of `seconds`, the mean over the threads.
  virtual void run_timed(const float* input, const float* residual, float* output, float* scratch,
                         double* seconds) {
    const Stopwatch watch;
    run(input, residual, output, scratch);
    *seconds += watch.seconds();
  }
};

}  // namespace edgeprune::inference
