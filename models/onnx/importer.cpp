#include "models/onnx/importer.h"

#include "engine/base/check.h"

namespace edgeprune::onnx {
namespace {

const std::vector<int64_t> kToFirst{0, 3, 1, 2};

/// Images come channels-last where the first that reads them turns them.
bool turns_images(const Model& model) {
  for (const Node& node : model.nodes) {
    if (node.op != "Transpose" || node.inputs.size() != 1 || node.inputs[0] != model.input.name) {
      continue;
    }
    for (const Attribute& one : node.attributes) {
      const auto* const perm = std::get_if<std::vector<int64_t>>(&one.value);
      if (one.name == "perm" && perm != nullptr && *perm == kToFirst) return true;
    }
  }
  return false;
}

}  // namespace

Importer::Importer(const Model& model, int64_t open_size) : model_(model) {
  for (const Tensor& tensor : model.initializers) constants_[tensor.name] = &tensor;
  for (const Node& node : model.nodes) {
    for (const std::string& input : node.inputs) ++readers_[input];
  }
  const auto& dims = model.input.dims;
  require(model.input.type != DataType::uint8, "onnx",
          "the input '{}' is uint8: a network that normalises pixels itself, as export "
          "--preprocess writes; expected the one exported without",
          printable(model.input.name));
  const bool floats =
      model.input.type == DataType::float32 || model.input.type == DataType::float16;
  require(dims.size() == 4 && floats, "onnx", "the input '{}' is not float32 [N,C,H,W]",
          printable(model.input.name));
  const auto size = [&](size_t i, int64_t otherwise) { return dims[i] > 0 ? dims[i] : otherwise; };
  const bool last = turns_images(model);
  const size_t channels = last ? 3 : 1, height = last ? 1 : 2;
  const kind::Input images{size(channels, 3), size(height, open_size), size(height + 1, open_size)};
  values_[model.input.name] = {graph_.append("images", images, {}),
                               last ? Layout::channels_last : Layout::channels_first};
  shapes_.push_back(infer_shape(graph_, 0, shapes_));
}

const Value& Importer::value(const Operator& o, size_t i) const {
  const auto found = values_.find(o.input(i));
  o.expect(found != values_.end(), "it reads '{}', which nothing before it puts out",
           printable(o.input(i)));
  return found->second;
}

const Value& Importer::whole(const Operator& o, size_t i) const {
  const Value& read = value(o, i);
  o.expect(read.pads == Pads{}, "it reads '{}', which is padded: only Conv and MaxPool may",
           printable(o.input(i)));
  o.expect(read.part == Value::Part::whole, "it reads '{}', to which a constant is added",
           printable(o.input(i)));
  return read;
}

const Value& Importer::map(const Operator& o, size_t i) const {
  const Value& read = whole(o, i);
  o.expect(read.layout == Layout::channels_first, "it reads '{}', expected [N,C,H,W]",
           printable(o.input(i)));
  return read;
}

bool Importer::is_point(const Value& value) const {
  return shape(value).height == 1 && shape(value).width == 1;
}

/// What a node's parameters, or else its output, are called.
std::string Importer::name_of(const Operator& o, const std::string& weight) {
  constexpr std::string_view kWeight = ".weight";
  std::string name =
      weight.ends_with(kWeight) ? weight.substr(0, weight.size() - kWeight.size()) : o.output();
  constexpr size_t kMost = 150;
  if (name.empty() || name.size() > kMost) name = fmt::format("node{}", graph_.nodes.size());
  name = as_utf8(name);
  while (!names_.insert(name).second) name += "_";
  return name;
}

void Importer::put_out(const Operator& o, Kind kind, std::vector<size_t> inputs, Layout layout,
                       std::string name) {
  if (name.empty()) name = name_of(o);
  const size_t node = graph_.append(std::move(name), kind, std::move(inputs));
  shapes_.push_back(infer_shape(graph_, node, shapes_));
  values_[o.output()] = {node, layout};
}

void Importer::store(const std::string& name, const Shape& shape,
                     const std::vector<float>& values) {
  arrays_[name] = Array::from(edgeprune::Tensor(shape, values));
}

}  // namespace edgeprune::onnx
