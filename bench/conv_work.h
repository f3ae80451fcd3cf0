#pragma once
// One convolution's three passes in training, by any kernel with oneDNN's signatures.

#include <utility>

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/reference/conv2d.h"

namespace edgeprune::bench {

/// (shape, input, weights, output), (shape, grad_output, weights, grad_input) or
/// (shape, input, grad_output, grad_weights); weights [O,I/groups,k,k].
using ConvKernel = std::function<void(const Conv2dShape&, const float*, const float*, float*)>;

struct ConvPass {
  const char* name;
  ConvKernel onednn, reference;
  int64_t (Conv2dShape::*first)() const;  ///< floats of the operands and of the result
  int64_t (Conv2dShape::*second)() const;
  int64_t (Conv2dShape::*result)() const;
};

inline const ConvPass kForward{
    "forward",
    [](const Conv2dShape& s, const float* input, const float* weights, float* output) {
      onednn::conv2d_forward(s, input, weights, nullptr, output);
    },
    [](const Conv2dShape& s, const float* input, const float* weights, float* output) {
      reference::conv2d_forward(s, input, weights, nullptr, nullptr, Activation::none, output);
    },
    &Conv2dShape::input_count,
    &Conv2dShape::weight_count,
    &Conv2dShape::output_count};
inline const ConvPass kBackwardData{"backward_data",
                                    onednn::conv2d_backward_data,
                                    reference::conv2d_backward_data,
                                    &Conv2dShape::output_count,
                                    &Conv2dShape::weight_count,
                                    &Conv2dShape::input_count};
inline const ConvPass kBackwardWeights{
    "backward_weights",        onednn::conv2d_backward_weights, reference::conv2d_backward_weights,
    &Conv2dShape::input_count, &Conv2dShape::output_count,      &Conv2dShape::weight_count};

/// Adds "name/<pass>/<shape>/batch:<batch>[/contender]", checked against the reference.
inline void add_conv(const std::string& name, const ConvPass& pass, const LayerShape& entry,
                     int64_t batch, const ConvKernel& kernel, const std::string& contender = "") {
  Conv2dShape shape = entry.shape;
  shape.batch = batch;
  const auto make = [=, layers = entry.layers] {
    const Tensor first = random_tensor({(shape.*pass.first)()}, 1);
    const Tensor second = random_tensor({(shape.*pass.second)()}, 2);
    Tensor result({(shape.*pass.result)()});
    Work work;
    work.run = [=]() mutable { kernel(shape, first.data(), second.data(), result.data()); };
    work.error = [=] {
      Tensor expected(result.shape());
      pass.reference(shape, first.data(), second.data(), expected.data());
      return relative_error(result, expected);
    };
    work.counters = {{"GFLOP/s", rate(2e-9 * double(shape.multiply_adds()))},
                     {"GB/s", rate(4e-9 * double(first.count() + second.count() + result.count()))},
                     {"layers", layers}};
    return work;
  };
  add(fmt::format("{}/{}/{}/batch:{}{}", name, pass.name, label(shape), batch, contender), make);
}

}  // namespace edgeprune::bench
