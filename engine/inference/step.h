#pragma once

#include <cstdint>
#include <string>

#include "engine/base/timer.h"
#include "engine/inference/view.h"

namespace edgeprune::inference {

/// What a step works on.
struct Operands {
  View input, residual;  ///< residual: of no data where the layer adds none
  MutableView output;
  std::byte* scratch;  ///< scratch_bytes() of any content
};

/// One kernel call of a plan. Sizes and weights are fixed when it is made; run() allocates nothing (but oneDNN's)
/// and keeps nothing, so that threads can share a step, each with buffers of its own.
class Step {
 public:
  virtual ~Step() = default;
  /// Throws std::invalid_argument if the maps are of other number types than the step was made for.
  virtual void run(const Operands& maps) = 0;
  virtual int64_t output_bytes() const = 0;
  /// For the thread count in force when the step was made.
  virtual int64_t scratch_bytes() const { return 0; }
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
  virtual void run_timed(const Operands& maps, double* seconds) {
    const Stopwatch watch;
    run(maps);
    *seconds += watch.seconds();
  }
};

/// A step all of whose maps are floats.
class FloatStep : public Step {
 public:
  void run(const Operands& maps) final {
    run_floats(maps.input.floats(), maps.residual.floats(), maps.output.floats(),
               reinterpret_cast<float*>(maps.scratch));
  }
  void run_timed(const Operands& maps, double* seconds) final {
    run_floats_timed(maps.input.floats(), maps.residual.floats(), maps.output.floats(),
                     reinterpret_cast<float*>(maps.scratch), seconds);
  }
  int64_t output_bytes() const final { return output_size() * int64_t{sizeof(float)}; }
  int64_t scratch_bytes() const final { return scratch_size() * int64_t{sizeof(float)}; }

  /// `residual`: null where the layer adds none; `scratch`: scratch_size() floats.
  virtual void run_floats(const float* input, const float* residual, float* output,
                          float* scratch) = 0;
  virtual int64_t output_size() const = 0;            ///< in floats
  virtual int64_t scratch_size() const { return 0; }  ///< likewise
  virtual void run_floats_timed(const float* input, const float* residual, float* output,
                                float* scratch, double* seconds) {
    const Stopwatch watch;
    run_floats(input, residual, output, scratch);
    *seconds += watch.seconds();
  }
};

}  // namespace edgeprune::inference
