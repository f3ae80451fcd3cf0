#pragma once
// One convolution's passes in training, by any kernel, checked against the plain loops.

#include <algorithm>
#include <memory>

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/kernels/normalized.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/reference/batch_norm.h"
#include "engine/kernels/reference/conv2d.h"
#include "engine/kernels/simd/batch_norm.h"

namespace edgeprune::bench {

/// What to time. Plain passes read tensors as they are and take no sums; normalised ones read
/// through the batch norms (with ReLU6) around the layer, and take the moments of its output or the
/// sums that the batch norm of its input needs.
struct ConvPass {
  const char* name;
  bool forward, normalized;
  bool grad_input = true;  ///< the image needs no gradient
};
inline constexpr ConvPass kForward{"forward", true, false};
inline constexpr ConvPass kBackward{"backward", false, false};
inline constexpr ConvPass kBackwardWeights{"backward_weights", false, false, false};
inline constexpr ConvPass kForwardNormalized{"forward_normalized", true, true};
inline constexpr ConvPass kBackwardNormalized{"backward_normalized", false, true};

/// A layer's arguments, the same random ones every time, and memory for its results.
struct ConvLayer {
  ConvLayer(const Conv2dShape& s, const ConvPass& p)
      : shape(s),
        pass(p),
        input(random_tensor({s.input_count()}, 1)),
        weights(random_tensor({s.weight_count()}, 2)),
        grad_output(random_tensor({s.output_count()}, 3)),
        output(Shape{s.output_count()}),
        grad_input(Shape{s.input_count()}),
        grad_weights(Shape{s.weight_count()}) {
    if (!p.normalized) return;
    scale = random_tensor({s.in_channels}, 4);
    shift = random_tensor({s.in_channels}, 5);
    input_mean = random_tensor({s.in_channels}, 6);
    normalized_output = random_tensor({s.output_count()}, 7);
    for (size_t i = 0; i < std::size(of_output); ++i) {
      of_output[i] = random_tensor({s.out_channels}, 8 + i);
    }
    mean = Tensor({s.out_channels});
    variance = Tensor({s.out_channels});
    sum_grad = Tensor({s.in_channels});
    sum_grad_input = Tensor({s.in_channels});
  }

  // As the kernels of engine/kernels/simd take them.
  Normalized read_input() const {
    if (!pass.normalized) return {.data = input.data()};
    return {input.data(), scale.data(), shift.data(), Activation::relu6};
  }
  NormalizedGradient read_grad() const {
    if (!pass.normalized) return {.data = grad_output.data()};
    const auto& [a, b, c, out_scale, out_shift] = of_output;
    return {grad_output.data(),
            a.data(),
            b.data(),
            c.data(),
            {normalized_output.data(), out_scale.data(), out_shift.data(), Activation::relu6}};
  }
  std::unique_ptr<Moments> moments() {
    if (!pass.normalized) return nullptr;
    return std::make_unique<Moments>(Moments{mean.data(), variance.data()});
  }
  std::unique_ptr<GradientSums> sums() {
    if (!pass.normalized) return nullptr;
    return std::make_unique<GradientSums>(
        GradientSums{input_mean.data(), sum_grad.data(), sum_grad_input.data()});
  }

  std::vector<Tensor> results() const {
    std::vector<Tensor> list{pass.forward ? output : grad_weights};
    if (!pass.forward && pass.grad_input) list.push_back(grad_input);
    if (pass.normalized) {
      list.push_back(pass.forward ? mean : sum_grad);
      list.push_back(pass.forward ? variance : sum_grad_input);
    }
    return list;
  }

  Conv2dShape shape;
  ConvPass pass;
  Tensor input, weights, grad_output;
  Tensor scale, shift, input_mean;  // of the batch norm of the input
  Tensor normalized_output, of_output[5];
  Tensor output, grad_input, grad_weights;
  Tensor mean, variance, sum_grad, sum_grad_input;
};

using ConvKernel = std::function<void(ConvLayer&)>;

/// Plain passes.
inline void run_onednn(ConvLayer& layer) {
  const Conv2dShape& s = layer.shape;
  if (layer.pass.forward) {
    onednn::conv2d_forward(s, layer.input.data(), layer.weights.data(), nullptr,
                           layer.output.data());
    return;
  }
  onednn::conv2d_backward_weights(s, layer.input.data(), layer.grad_output.data(),
                                  layer.grad_weights.data());
  if (!layer.pass.grad_input) return;
  onednn::conv2d_backward_data(s, layer.grad_output.data(), layer.weights.data(),
                               layer.grad_input.data());
}

/// The batch norms are written out first.
inline void run_reference(ConvLayer& layer) {
  const Conv2dShape& s = layer.shape;
  const int64_t in_rows = s.input_count() / s.in_channels,
                out_rows = s.output_count() / s.out_channels;
  Tensor input(layer.input.shape()), grad(layer.grad_output.shape());
  simd::normalize(layer.read_input(), in_rows, s.in_channels, input.data());
  if (layer.pass.forward) {
    reference::conv2d_forward(s, input.data(), layer.weights.data(), nullptr, nullptr,
                              Activation::none, layer.output.data());
    if (!layer.pass.normalized) return;
    reference::batch_norm_statistics(layer.output.data(), out_rows, s.out_channels,
                                     layer.mean.data(), layer.variance.data());
    return;
  }
  simd::normalize(layer.read_grad(), out_rows, s.out_channels, grad.data());
  reference::conv2d_backward_weights(s, input.data(), grad.data(), layer.grad_weights.data());
  if (!layer.pass.grad_input) return;
  reference::conv2d_backward_data(s, grad.data(), layer.weights.data(), layer.grad_input.data());
  if (!layer.pass.normalized) return;
  simd::batch_norm_backward_sums(layer.read_input(), layer.grad_input.data(), in_rows,
                                 s.in_channels, *layer.sums());
}

/// Adds "name/<pass>/<shape>/batch:<batch>[/contender]".
inline void add_conv(const std::string& name, const ConvPass& pass, const LayerShape& entry,
                     int64_t batch, const ConvKernel& kernel, const std::string& contender = "") {
  Conv2dShape shape = entry.shape;
  shape.batch = batch;
  const auto make = [=, layers = entry.layers] {
    const auto layer = std::make_shared<ConvLayer>(shape, pass);
    Work work;
    work.run = [=] { kernel(*layer); };
    work.error = [=] {
      ConvLayer expected(shape, pass);
      run_reference(expected);
      double worst = 0;
      for (size_t i = 0; i < expected.results().size(); ++i) {
        worst = std::max(worst, relative_error(layer->results()[i], expected.results()[i]));
      }
      return worst;
    };
    const bool both_gradients = !pass.forward && pass.grad_input;
    const double products = both_gradients ? 2 : 1;
    int64_t floats = shape.input_count() + shape.weight_count() + shape.output_count();
    if (both_gradients) floats += shape.input_count() + shape.weight_count();
    if (both_gradients && pass.normalized) floats += shape.output_count();
    work.counters = {{"GFLOP/s", rate(2e-9 * products * double(shape.multiply_adds()))},
                     {"GB/s", rate(4e-9 * double(floats))},
                     {"layers", layers}};
    return work;
  };
  add(fmt::format("{}/{}/{}/batch:{}{}", name, pass.name, label(shape), batch, contender), make);
}

/// All passes of one kind of layer by our kernel; the plain ones by oneDNN beside it.
inline void add_training(const std::string& name, const std::vector<LayerShape>& entries,
                         const ConvKernel& ours) {
  for (const LayerShape& entry : entries) {
    for (const int64_t batch : {32, 128}) {
      for (const ConvPass& pass : {kForward, kBackward}) {
        add_conv(name, pass, entry, batch, ours, "/ours");
        add_conv(name, pass, entry, batch, run_onednn, "/onednn");
      }
      for (const ConvPass& pass : {kForwardNormalized, kBackwardNormalized}) {
        add_conv(name, pass, entry, batch, ours, "/ours");
      }
    }
  }
}

}  // namespace edgeprune::bench
