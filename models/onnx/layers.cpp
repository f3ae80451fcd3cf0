// Operators that look through windows, or multiply by weights.

#include <algorithm>

#include "engine/base/check.h"
#include "models/onnx/importer.h"

namespace edgeprune::onnx {
namespace {

constexpr int64_t kMostWindow = 4096;

/// TensorFlow's: as many as make the outputs size / stride, rounded up; the odd one below, or above if `lower`.
std::pair<int64_t, int64_t> same_pads(int64_t size, int64_t kernel, int64_t stride, bool lower) {
  const int64_t outputs = (size + stride - 1) / stride;
  const int64_t all = std::max<int64_t>(0, (outputs - 1) * stride + kernel - size), less = all / 2;
  return lower ? std::pair(all - less, less) : std::pair(less, all - less);
}

/// [O,I,k,k] with `more` rows and columns of zeros, in front or behind.
edgeprune::Tensor with_zeros(const edgeprune::Tensor& weight, int64_t more, bool in_front) {
  const int64_t filters = weight.dim(0) * weight.dim(1), kernel = weight.dim(2);
  edgeprune::Tensor wide({weight.dim(0), weight.dim(1), kernel + more, kernel + more}, 0.0f);
  const int64_t first = in_front ? more : 0;
  for (int64_t row = 0; row < filters * kernel; ++row) {
    const int64_t to = row / kernel * (kernel + more) + first + row % kernel;
    std::copy_n(weight.data() + row * kernel, kernel, wide.data() + to * (kernel + more) + first);
  }
  return wide;
}

}  // namespace

Importer::Windows Importer::windows(const Operator& o, int64_t kernel) {
  const Value& read = value(o, 0);
  o.expect(read.layout == Layout::channels_first && read.part == Value::Part::whole,
           "it reads '{}', expected [N,C,H,W]", printable(o.input(0)));
  o.expect(o.same("dilations", 1) == 1, "it is dilated");
  o.expect(o.number("ceil_mode", 0) == 0, "ceil_mode is not known");
  Windows result{o.same("kernel_shape", kernel), o.same("strides", 1), {}};
  o.expect(result.kernel >= 1 && result.kernel <= kMostWindow && result.stride >= 1 &&
               result.stride <= kMostWindow,
           "a kernel of {} and a stride of {}", result.kernel, result.stride);
  const Pads& before = read.pads;
  const std::string rule = o.attribute<std::string>("auto_pad").value_or("NOTSET");
  if (rule == "SAME_UPPER" || rule == "SAME_LOWER") {
    const bool lower = rule == "SAME_LOWER";
    o.expect(result.stride == 1 || result.kernel % 2 == 1,
             "auto_pad {} of a kernel of {} with a stride of {}, expected an odd one", rule,
             result.kernel, result.stride);
    const MapShape& map = shape(read);
    std::tie(result.pads.above, result.pads.below) =
        same_pads(before.above + map.height + before.below, result.kernel, result.stride, lower);
    std::tie(result.pads.left, result.pads.right) =
        same_pads(before.left + map.width + before.right, result.kernel, result.stride, lower);
    same_padding_ = same_padding_ || result.stride > 1;
  } else {
    o.expect(rule == "NOTSET" || rule == "VALID", "auto_pad {} is not known", printable(rule));
    auto pads = o.attribute<std::vector<int64_t>>("pads").value_or(std::vector<int64_t>{});
    if (pads.empty() || rule == "VALID") pads.assign(4, 0);
    o.expect(pads.size() == 4 &&
                 std::ranges::all_of(pads, [](int64_t p) { return p >= 0 && p <= kMostWindow; }),
             "its pads are [{}]", fmt::join(pads, ","));
    result.pads = {pads[0], pads[1], pads[2], pads[3]};
  }
  Pads& all = result.pads;
  all = {all.above + before.above, all.left + before.left, all.below + before.below,
         all.right + before.right};
  o.expect(all.above == all.left && all.below == all.right,
           "its pads are [{},{},{},{}], expected above as on the left, below as on the right",
           all.above, all.left, all.below, all.right);
  return result;
}

/// What is padded unevenly gets a larger kernel, with zeros that meet the zeros around the map.
void Importer::convolution(const Operator& o) {
  const std::vector<float> values = o.values<float>(1);
  const std::vector<int64_t>& dims = o.constant(1)->dims;
  o.expect(dims.size() == 4 && dims[2] == dims[3], "its weight is [{}], expected square filters",
           fmt::join(dims, ","));
  const auto [kernel, stride, pads] = windows(o, dims[2]);
  o.expect(kernel == dims[2], "a kernel of {} with a weight of {}", kernel, dims[2]);
  const int64_t groups = o.number("group", 1);
  o.expect(groups == 1 || dims[1] != 1 || groups < 1 || dims[0] == groups,
           "depthwise with {} filters for {} channels, expected one a channel", dims[0], groups);
  o.expect(groups == 1 || (dims[1] == 1 && dims[0] == groups),
           "{} groups, expected 1 or one a channel", groups);
  const bool bias = o.inputs() > 2 && !o.input(2).empty();
  const std::string name = name_of(o, o.input(1));
  edgeprune::Tensor weight(Shape(dims), values);
  const int64_t padding = std::max(pads.above, pads.below),
                more = padding - std::min(pads.above, pads.below);
  o.expect(more <= kernel, "its pads are [{0},{0},{1},{1}], which a kernel of {2} does not reach",
           pads.above, pads.below, kernel);
  if (more > 0) {
    const int64_t before = weight.count();
    weight = with_zeros(weight, more, pads.above < pads.below);
    padding_zeros_ += weight.count() - before;
  }
  arrays_[name + ".weight"] = Array::from(weight);
  if (bias) store(name + ".bias", {dims[0]}, o.floats(2, static_cast<size_t>(dims[0])));
  const size_t input = value(o, 0).node;
  if (groups > 1) {
    put_out(o, kind::Depthwise{kernel + more, stride, padding, bias}, {input},
            Layout::channels_first, name);
  } else {
    put_out(o, kind::Convolution{dims[0], kernel + more, stride, padding, bias}, {input},
            Layout::channels_first, name);
  }
  if (!bias) without_bias_.insert(values_.at(o.output()).node);
}

void Importer::linear(const Operator& o) {
  const bool gemm = o.op() == "Gemm", turned = gemm && o.number("transB", 0) == 1;
  o.expect(o.real("alpha", 1) == 1 && o.real("beta", 1) == 1 && o.number("transA", 0) == 0,
           "with alpha, beta or transA");
  const std::vector<float> values = o.values<float>(1);
  const std::vector<int64_t>& dims = o.constant(1)->dims;
  o.expect(dims.size() == 2, "its weight has {} dimensions, expected 2", dims.size());
  const Value& read = whole(o, 0);
  o.expect(gemm || read.layout != Layout::channels_first, "it reads '{}', expected [N,C]",
           printable(o.input(0)));
  const auto outs = dims[turned ? 0 : 1], ins = dims[turned ? 1 : 0];
  edgeprune::Tensor weight({outs, ins}, values);
  if (!turned) {
    for (int64_t out = 0; out < outs; ++out) {
      for (int64_t in = 0; in < ins; ++in) {
        weight.data()[out * ins + in] = values[static_cast<size_t>(in * outs + out)];
      }
    }
  }
  const std::string name = name_of(o, o.input(1));
  arrays_[name + ".weight"] = Array::from(weight);
  const bool bias = gemm && o.inputs() > 2;
  store(name + ".bias", {outs},
        bias ? o.floats(2, static_cast<size_t>(outs))
             : std::vector<float>(static_cast<size_t>(outs)));
  put_out(o, kind::Linear{outs}, {read.node}, gemm ? Layout::rows : read.layout, name);
  if (!bias) without_bias_.insert(values_.at(o.output()).node);
}

void Importer::batch_norm(const Operator& o) {
  o.expect(o.number("training_mode", 0) == 0, "it is exported as for training");
  const std::vector<float> weight = o.values<float>(1);
  const std::string name = name_of(o, o.input(1));
  constexpr const char* kNames[] = {".weight", ".bias", ".running_mean", ".running_var"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    store(name + kNames[i], {std::ssize(weight)}, o.floats(i + 1, weight.size()));
  }
  arrays_[name + ".num_batches_tracked"] = Array::from(int64_t{0});
  put_out(o, kind::BatchNorm{o.real("epsilon", 1e-5f)}, {map(o, 0).node}, Layout::channels_first,
          name);
}

void Importer::max_pool(const Operator& o) {
  const auto [kernel, stride, pads] = windows(o, 0);
  o.expect(pads.above == pads.below, "its pads are [{0},{0},{1},{1}], expected them to be the same",
           pads.above, pads.below);
  const Value& read = value(o, 0);
  if (read.pads != Pads{}) {  // zeros, where a pooling's own padding is less than any number
    const auto* const before = std::get_if<kind::Activate>(&graph_.nodes[read.node].kind);
    const bool positive = before != nullptr && (before->activation == Activation::relu ||
                                                before->activation == Activation::relu6);
    o.expect(positive, "it reads '{}', which is padded with zeros and may be negative",
             printable(o.input(0)));
  }
  put_out(o, kind::MaxPool{kernel, stride, pads.above}, {read.node}, Layout::channels_first);
}

void Importer::average_pool(const Operator& o) {
  const Value& read = map(o, 0);
  const auto window = windows(o, 0);
  const MapShape& in = shape(read);
  o.expect(window.kernel == in.height && window.kernel == in.width && window.pads == Pads{},
           "over {0}x{0} of a map of {1}x{2}, expected the whole map", window.kernel, in.height,
           in.width);
  put_out(o, kind::GlobalAveragePool{}, {read.node}, Layout::channels_first);
}

void Importer::global_average_pool(const Operator& o) {
  put_out(o, kind::GlobalAveragePool{}, {map(o, 0).node}, Layout::channels_first);
}

void Importer::mean(const Operator& o) {
  std::vector<int64_t> axes = o.axes();
  const Value& read = whole(o, 0);
  const std::vector<int64_t> expected = read.layout == Layout::channels_last
                                            ? std::vector<int64_t>{1, 2}
                                            : std::vector<int64_t>{2, 3};
  o.expect(read.layout != Layout::rows && axes == expected,
           "over the axes [{}], expected those of the map, [{}]", fmt::join(axes, ","),
           fmt::join(expected, ","));
  put_out(o, kind::GlobalAveragePool{}, {read.node},
          o.number("keepdims", 1) == 0 ? Layout::rows : read.layout);
}

}  // namespace edgeprune::onnx
