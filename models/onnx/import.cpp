#include "models/onnx/import.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/graph/graph.h"
#include "models/onnx/operator.h"
#include "models/onnx/read.h"

namespace edgeprune::onnx {
namespace {

/// Rounded: exporters write 1/6 with six digits, or as a float.
bool near(float a, float b) {
  return std::abs(a - b) < 1e-4f;
}

class Import {
 public:
  Import(const Model& model, int64_t open_size) : model_(model) {
    for (const Tensor& tensor : model.initializers) constants_[tensor.name] = &tensor;
    const auto& dims = model.input.dims;
    require(model.input.type != DataType::uint8, "onnx",
            "the input '{}' is uint8: a network that normalises pixels itself, as export "
            "--preprocess writes; expected the one exported without",
            printable(model.input.name));
    require(dims.size() == 4 && model.input.type == DataType::float32, "onnx",
            "the input '{}' is not float32 [N,C,H,W]", printable(model.input.name));
    const auto size = [&](size_t i, int64_t otherwise) {
      return dims[i] > 0 ? dims[i] : otherwise;
    };
    values_[model.input.name] = graph_.append(
        "images", kind::Input{size(1, 3), size(2, open_size), size(3, open_size)}, {});
  }

  Archive run() {
    for (const Node& node : model_.nodes) convert(node);
    const auto logits = values_.find(model_.output.name);
    require(logits != values_.end(), "onnx", "nothing puts out '{}'",
            printable(model_.output.name));
    keep_what_is_read(logits->second);
    infer_shapes(graph_);
    Archive archive;
    for (const auto& node : graph_.nodes) {
      for (const char* what :
           {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}) {
        const auto found = arrays_.find(node.name + "." + what);
        if (found != arrays_.end()) archive.arrays.insert(arrays_.extract(found));
      }
    }
    archive.metadata = metadata(archive.arrays);
    if (!model_.metadata.contains("normalisation")) {
      archive.notes.emplace_back(
          "an ONNX file of others': normalised as ImageNet, classes without names");
    }
    return archive;
  }

 private:
  void convert(const Node& node) {
    const Operator o(node, constants_);
    const std::string& op = o.op();
    if (op == "Constant") {
      for (const Attribute& attribute : node.attributes) {
        const auto* const value = std::get_if<Tensor>(&attribute.value);
        if (value != nullptr) constants_[o.output()] = value;
      }
      return;
    }
    if (op == "Identity" && o.constant(0) != nullptr) {
      constants_[o.output()] = o.constant(0);
      return;
    }
    if (op == "Identity" || op == "Dropout" || op == "Flatten") return pass_on(o);
    if (op == "Reshape") return reshape(o);
    if (op == "Conv") return convolution(o);
    if (op == "BatchNormalization") return batch_norm(o);
    if (op == "Relu") return activation(o, Activation::relu);
    if (op == "HardSwish") return activation(o, Activation::hard_swish);
    if (op == "HardSigmoid") return hard_sigmoid(o);
    if (op == "Clip") return clip(o);
    if (op == "Add") return add(o);
    if (op == "Mul") return multiply(o);
    if (op == "GlobalAveragePool") return put_out(o, kind::GlobalAveragePool{}, {read(o, 0)});
    if (op == "ReduceMean") return mean(o);
    if (op == "MaxPool") return max_pool(o);
    if (op == "Gemm" || op == "MatMul") return linear(o);
    o.expect(op != "QuantizeLinear" && op != "DequantizeLinear",
             "a network in integers; expected the one in floats that it was made from");
    o.expect(false, "an operator that edgeprune's graphs do not have");
  }

  /// The graph's node whose output it reads.
  size_t read(const Operator& o, size_t i) const {
    const auto found = values_.find(o.input(i));
    o.expect(found != values_.end(), "it reads '{}', which nothing before it puts out",
             printable(o.input(i)));
    return found->second;
  }
  /// What a node's parameters, or else its output, are called.
  std::string name_of(const Operator& o, const std::string& weight = "") {
    constexpr std::string_view kWeight = ".weight";
    std::string name =
        weight.ends_with(kWeight) ? weight.substr(0, weight.size() - kWeight.size()) : o.output();
    constexpr size_t kMost = 150;
    if (name.empty() || name.size() > kMost) name = fmt::format("node{}", graph_.nodes.size());
    name = as_utf8(name);
    while (!names_.insert(name).second) name += "_";
    return name;
  }
  void put_out(const Operator& o, Kind kind, std::vector<size_t> inputs, std::string name = "") {
    if (name.empty()) name = name_of(o);
    const bool point = std::holds_alternative<kind::GlobalAveragePool>(kind) ||
                       (inputs.size() == 1 && points_.contains(inputs[0]));
    const size_t node = graph_.append(std::move(name), kind, std::move(inputs));
    if (point) points_.insert(node);
    values_[o.output()] = node;
  }
  void pass_on(const Operator& o) { values_[o.output()] = read(o, 0); }
  void store(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    arrays_[name] = Array::from(edgeprune::Tensor(shape, values));
  }

  /// To one row an image: what reads it sees that the map is one of 1x1.
  void reshape(const Operator& o) {
    const auto dims = o.values<int64_t>(1);
    o.expect(dims.size() == 2, "to [{}]: expected [N,C]", fmt::join(dims, ","));
    pass_on(o);
  }

  /// The parameters of windows: kernel, stride, padding.
  std::array<int64_t, 3> windows(const Operator& o, int64_t kernel) const {
    const std::string pad = o.attribute<std::string>("auto_pad").value_or("NOTSET");
    o.expect(pad == "NOTSET" || pad == "VALID", "auto_pad {} is not known", printable(pad));
    o.expect(o.same("dilations", 1) == 1, "it is dilated");
    o.expect(o.number("ceil_mode", 0) == 0, "ceil_mode is not known");
    const int64_t found = o.same("kernel_shape", kernel);
    return {found, o.same("strides", 1), pad == "VALID" ? 0 : o.same("pads", 0)};
  }

  void convolution(const Operator& o) {
    const std::vector<float> weight = o.values<float>(1);
    const std::vector<int64_t>& dims = o.constant(1)->dims;
    o.expect(dims.size() == 4 && dims[2] == dims[3], "its weight is [{}], expected square filters",
             fmt::join(dims, ","));
    const auto [kernel, stride, padding] = windows(o, dims[2]);
    o.expect(kernel == dims[2], "a kernel of {} with a weight of {}", kernel, dims[2]);
    const int64_t groups = o.number("group", 1);
    o.expect(groups == 1 || dims[1] != 1 || groups < 1 || dims[0] == groups,
             "depthwise with {} filters for {} channels, expected one a channel", dims[0], groups);
    o.expect(groups == 1 || (dims[1] == 1 && dims[0] == groups),
             "{} groups, expected 1 or one a channel", groups);
    const bool bias = o.inputs() > 2 && !o.input(2).empty();
    const std::string name = name_of(o, o.input(1));
    store(name + ".weight", Shape(dims), weight);
    if (bias) store(name + ".bias", {dims[0]}, o.floats(2, static_cast<size_t>(dims[0])));
    if (groups > 1) {
      put_out(o, kind::Depthwise{kernel, stride, padding, bias}, {read(o, 0)}, name);
    } else {
      put_out(o, kind::Convolution{dims[0], kernel, stride, padding, bias}, {read(o, 0)}, name);
    }
  }

  void batch_norm(const Operator& o) {
    o.expect(o.number("training_mode", 0) == 0, "it is exported as for training");
    const std::vector<float> weight = o.values<float>(1);
    const std::string name = name_of(o, o.input(1));
    constexpr const char* kNames[] = {".weight", ".bias", ".running_mean", ".running_var"};
    for (size_t i = 0; i < std::size(kNames); ++i) {
      store(name + kNames[i], {std::ssize(weight)}, o.floats(i + 1, weight.size()));
    }
    arrays_[name + ".num_batches_tracked"] = Array::from(int64_t{0});
    put_out(o, kind::BatchNorm{o.real("epsilon", 1e-5f)}, {read(o, 0)}, name);
  }

  void activation(const Operator& o, Activation activation) {
    put_out(o, kind::Activate{activation}, {read(o, 0)});
  }
  void hard_sigmoid(const Operator& o) {
    const float alpha = o.real("alpha", 0.2f), beta = o.real("beta", 0.5f);
    o.expect(near(alpha, 1.0f / 6) && near(beta, 0.5f),
             "alpha {} and beta {}, expected 1/6 and 1/2", alpha, beta);
    activation(o, Activation::hard_sigmoid);
  }
  void clip(const Operator& o) {
    const auto bound = [&](size_t i, const char* name, float otherwise) {  // inputs since opset 11
      const bool given = o.inputs() > i && !o.input(i).empty();
      return given ? o.floats(i, 1).front() : o.real(name, otherwise);
    };
    const float low = bound(1, "min", -INFINITY), high = bound(2, "max", INFINITY);
    o.expect(low == 0 && high == 6, "from {} to {}, expected 0 to 6", low, high);
    activation(o, Activation::relu6);
  }

  void add(const Operator& o) {
    for (const size_t i : {size_t{0}, size_t{1}}) {
      if (o.constant(i) == nullptr) continue;
      const size_t node = read(o, 1 - i);  // a bias, of what had none
      const auto* const linear = std::get_if<kind::Linear>(&graph_.nodes[node].kind);
      o.expect(linear != nullptr && without_bias_.erase(node) == 1, "it adds a constant");
      store(graph_.nodes[node].name + ".bias", {linear->out_features},
            o.floats(i, static_cast<size_t>(linear->out_features)));
      values_[o.output()] = node;
      return;
    }
    put_out(o, kind::Add{}, {read(o, 0), read(o, 1)});
  }

  /// Of a map by one factor a channel; or of x by hard_sigmoid(x), as exporters spell hard_swish for old operators.
  void multiply(const Operator& o) {
    const size_t a = read(o, 0), b = read(o, 1);
    for (const auto& [x, gate] : {std::pair(a, b), std::pair(b, a)}) {
      const edgeprune::Node& node = graph_.nodes[gate];
      const auto* const sort = std::get_if<kind::Activate>(&node.kind);
      if (sort == nullptr || sort->activation != Activation::hard_sigmoid || node.inputs[0] != x)
        continue;
      return put_out(o, kind::Activate{Activation::hard_swish}, {x});
    }
    // infer_shapes() says what is wrong if neither is of 1x1.
    const bool turned = points_.contains(a) && !points_.contains(b);
    put_out(o, kind::Multiply{}, turned ? std::vector{b, a} : std::vector{a, b});
  }

  void mean(const Operator& o) {
    std::vector<int64_t> axes =
        o.inputs() > 1 ? o.values<int64_t>(1)  // since opset 18
                       : o.attribute<std::vector<int64_t>>("axes").value_or(std::vector<int64_t>{});
    for (int64_t& axis : axes) axis = axis < 0 ? axis + 4 : axis;
    std::ranges::sort(axes);
    o.expect(axes == std::vector<int64_t>{2, 3},
             "over the axes [{}], expected those of the map, [2,3]", fmt::join(axes, ","));
    put_out(o, kind::GlobalAveragePool{}, {read(o, 0)});
  }

  void max_pool(const Operator& o) {
    const auto [kernel, stride, padding] = windows(o, 0);
    put_out(o, kind::MaxPool{kernel, stride, padding}, {read(o, 0)});
  }

  void linear(const Operator& o) {
    const bool gemm = o.op() == "Gemm", turned = gemm && o.number("transB", 0) == 1;
    o.expect(o.real("alpha", 1) == 1 && o.real("beta", 1) == 1 && o.number("transA", 0) == 0,
             "with alpha, beta or transA");
    const std::vector<float> values = o.values<float>(1);
    const std::vector<int64_t>& dims = o.constant(1)->dims;
    o.expect(dims.size() == 2, "its weight has {} dimensions, expected 2", dims.size());
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
    put_out(o, kind::Linear{outs}, {read(o, 0)}, name);
    if (!bias) without_bias_.insert(values_.at(o.output()));
  }

  /// Leaves out what `last` does not need, and moves it to the end.
  void keep_what_is_read(size_t last) {
    auto& nodes = graph_.nodes;
    std::vector<bool> read(nodes.size());
    read[last] = read[0] = true;
    for (size_t i = nodes.size(); i-- > 0;) {
      if (!read[i]) continue;
      for (const size_t input : nodes[i].inputs) read[input] = true;
    }
    std::vector<size_t> moved(nodes.size());
    std::vector<edgeprune::Node> kept;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (!read[i]) continue;
      for (size_t& input : nodes[i].inputs) input = moved[input];
      moved[i] = kept.size();
      kept.push_back(std::move(nodes[i]));
    }
    nodes = std::move(kept);
  }

  /// A checkpoint's. What the file does not say of it is as for other foreign files.
  std::map<std::string, std::string> metadata(const std::map<std::string, Array>& arrays) const {
    std::map<std::string, std::string> result{
        {"format", "edgeprune/1"},
        {"normalisation", R"({"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]})"},
        {"resize", R"("squash")"},
        {"history", "[]"}};
    auto classes = nlohmann::json::array();
    for (int64_t i = 0; i < graph_.classes(); ++i) classes.push_back(fmt::format("class {}", i));
    result["classes"] = classes.dump();
    for (const char* key : {"normalisation", "resize", "classes", "history", "padding"}) {
      const auto found = model_.metadata.find(key);
      if (found != model_.metadata.end()) result[key] = found->second;
    }
    result["graph"] = nlohmann::json(graph_).dump();
    auto history = parse_json(result["history"], "metadata 'history'");
    require(history.is_array(), "onnx", "metadata 'history' is no list");
    nlohmann::json step = {{"step", "import"}};
    if (has_zeros(arrays)) step["pruned"] = true;
    history.push_back(step);
    result["history"] = history.dump();
    return result;
  }

  /// More than chance would leave: they are to stay.
  static bool has_zeros(const std::map<std::string, Array>& arrays) {
    double count = 0, zeros = 0;
    for (const auto& [name, array] : arrays) {
      if (array.shape.rank() < 2) continue;
      const auto tensor = array.to_tensor(name);
      count += double(tensor.count());
      zeros += double(std::ranges::count(tensor.values(), 0.0f));
    }
    return zeros >= 0.01 * count && zeros > 0;
  }

  const Model& model_;
  Constants constants_;
  Graph graph_{"onnx", 1.0, {}};
  std::map<std::string, size_t> values_;  ///< names of values, and the nodes that put them out
  std::map<std::string, Array> arrays_;
  std::set<size_t> points_;        ///< nodes behind a pool of the whole map
  std::set<size_t> without_bias_;  ///< linear nodes
  std::set<std::string> names_{"images"};
};

}  // namespace

Archive to_archive(const Model& model, int64_t open_size) {
  return Import(model, open_size).run();
}

Archive import_onnx(const std::string& path, int64_t open_size) {
  const Model model = read_onnx(path);
  try {
    return to_archive(model, open_size);
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", path, error.what()));
  } catch (const FileError& error) {  // of the metadata's JSON
    throw FileError(fmt::format("{}: {}", path, error.what()));
  }
}

}  // namespace edgeprune::onnx
