#include "models/library_variant.h"

#include <algorithm>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr float kTensorFlowEps = 1e-3f, kPyTorchEps = 1e-5f;

/// Pixels that SAME puts around a map of `size`: so many that the outputs are size / stride, rounded up.
struct Padding {
  int64_t before = 0, after = 0;
  bool operator==(const Padding&) const = default;
};
Padding same_padding(int64_t size, int64_t kernel, int64_t stride) {
  const int64_t outputs = (size + stride - 1) / stride;
  const int64_t all = std::max<int64_t>(0, (outputs - 1) * stride + kernel - size);
  return {all / 2, all - all / 2};
}

/// [out, in, k, k] as [out, in, k+1, k+1], zeros in front.
Array with_zeros_in_front(const Array& weight, const std::string& name) {
  const Tensor old = weight.to_tensor(name);
  const int64_t kernel = weight.shape[2], wide = kernel + 1;
  Tensor larger({weight.shape[0], weight.shape[1], wide, wide}, 0.0f);
  for (int64_t filter = 0; filter < weight.shape[0] * weight.shape[1]; ++filter) {
    for (int64_t row = 0; row < kernel; ++row) {
      std::copy_n(old.data() + (filter * kernel + row) * kernel, kernel,
                  larger.data() + (filter * wide + row + 1) * wide + 1);
    }
  }
  return Array::from(larger);
}

struct Window {
  int64_t *kernel = nullptr, *padding = nullptr, stride = 1;
};

Window window_of(Kind& kind) {
  if (auto* c = std::get_if<kind::Convolution>(&kind)) return {&c->kernel, &c->padding, c->stride};
  if (auto* d = std::get_if<kind::Depthwise>(&kind)) return {&d->kernel, &d->padding, d->stride};
  if (auto* p = std::get_if<kind::MaxPool>(&kind)) return {&p->kernel, &p->padding, p->stride};
  return {};
}

int64_t pad_as_tensorflow(Graph& graph, std::map<std::string, Array>& arrays) {
  int64_t zeros = 0;
  const std::vector<MapShape> shapes = infer_shapes(graph);
  for (Node& node : graph.nodes) {
    const Window window = window_of(node.kind);
    if (window.kernel == nullptr) continue;
    const MapShape& map = shapes[node.inputs[0]];
    const Padding padding = same_padding(map.height, *window.kernel, window.stride);
    if (std::holds_alternative<kind::MaxPool>(node.kind)) {
      require(padding.before == padding.after && padding.before == *window.padding, "tensorflow",
              "node '{}': padding SAME of a pooling over {}x{} has no expression here", node.name,
              map.height, map.width);
      continue;
    }
    *window.padding = padding.after;
    if (padding.before == padding.after) continue;
    const std::string name = node.name + ".weight";
    const auto found = arrays.find(name);
    // A weight that is missing or makes no sense is for load_state_dict() to refuse.
    if (found != arrays.end() && found->second.dtype == DType::f32 &&
        found->second.shape.rank() == 4 && found->second.shape[2] == *window.kernel &&
        found->second.shape[3] == *window.kernel) {
      found->second = with_zeros_in_front(found->second, name);
      zeros += found->second.shape[0] * found->second.shape[1] * (2 * *window.kernel + 1);
    }
    ++*window.kernel;
  }
  return zeros;
}

}  // namespace

Variant variant_of(Library library, const std::string& network, TrainedIn trained_in) {
  const bool hugging_face = library == Library::hugging_face && !network.starts_with("resnet");
  const bool tensorflow =
      trained_in == TrainedIn::tensorflow || (trained_in == TrainedIn::guessed && hugging_face);
  Variant variant;
  if (tensorflow || hugging_face) {
    variant.eps = kTensorFlowEps;
  } else if (library == Library::timm) {
    variant.eps = kPyTorchEps;
  }
  variant.relu6 = network == "mobilenet_v1" && (library != Library::torchvision || tensorflow);
  variant.same_padding = variant.centred = tensorflow;
  return variant;
}

int64_t apply_variant(const Variant& variant, Graph& graph, std::map<std::string, Array>& arrays) {
  for (Node& node : graph.nodes) {
    if (auto* norm = std::get_if<kind::BatchNorm>(&node.kind); norm && variant.eps != 0) {
      norm->eps = variant.eps;
    }
    if (auto* activate = std::get_if<kind::Activate>(&node.kind);
        activate && variant.relu6 && activate->activation == Activation::relu) {
      activate->activation = Activation::relu6;
    }
  }
  return variant.same_padding ? pad_as_tensorflow(graph, arrays) : 0;
}

void require_same_padding(const Graph& graph, int64_t pixels) {
  Graph resized = graph;
  resized.set_input_size(pixels);
  const std::vector<MapShape> own = infer_shapes(graph), wanted = infer_shapes(resized);
  for (Node& node : resized.nodes) {
    const Window window = window_of(node.kind);
    if (window.kernel == nullptr) continue;
    // Kernels are odd; one that is not got a row and a column as padding.
    const int64_t kernel = *window.kernel % 2 == 0 ? *window.kernel - 1 : *window.kernel;
    const int64_t here = own[node.inputs[0]].height, there = wanted[node.inputs[0]].height;
    require(same_padding(here, kernel, window.stride) == same_padding(there, kernel, window.stride),
            "input-size",
            "TensorFlow's padding is built in for {0}x{0} images and is another for {1}x{1} (node "
            "'{2}' reads {3}x{3}, not {4}x{4}): import the original weights at that size",
            graph.input_size(), pixels, node.name, there, here);
  }
}

}  // namespace edgeprune
