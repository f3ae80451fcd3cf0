#pragma once

#include <cstdint>
#include <string>

namespace edgeprune::inference {

/// One kernel call of a plan. Sizes are fixed when it is made; run() allocates nothing.
class Step {
 public:
  virtual ~Step() = default;
  virtual void run(const float* input, const float* residual, float* output) = 0;
  virtual int64_t output_size() const = 0;  ///< in floats
  virtual std::string kernel() const = 0;   ///< "onednn", "simd depthwise", "csr", ...
};

}  // namespace edgeprune::inference
