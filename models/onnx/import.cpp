#include "models/onnx/import.h"

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "models/onnx/importer.h"
#include "models/onnx/read.h"

namespace edgeprune::onnx {

const std::map<std::string, Importer::Method>& Importer::methods() {
  static const std::map<std::string, Method> kMethods{
      {"Add", &Importer::add},
      {"AveragePool", &Importer::average_pool},
      {"BatchNormalization", &Importer::batch_norm},
      {"Cast", &Importer::cast},
      {"Clip", &Importer::clip},
      {"Constant", &Importer::constant},
      {"Conv", &Importer::convolution},
      {"Div", &Importer::divide},
      {"Dropout", &Importer::pass_on},
      {"Flatten", &Importer::flatten},
      {"Gemm", &Importer::linear},
      {"GlobalAveragePool", &Importer::global_average_pool},
      {"HardSigmoid", &Importer::hard_sigmoid},
      {"HardSwish", &Importer::hard_swish},
      {"Identity", &Importer::identity},
      {"MatMul", &Importer::linear},
      {"MaxPool", &Importer::max_pool},
      {"Mul", &Importer::multiply},
      {"Pad", &Importer::pad},
      {"ReduceMean", &Importer::mean},
      {"Relu", &Importer::relu},
      {"Reshape", &Importer::reshape},
      {"Sigmoid", &Importer::sigmoid},
      {"Softmax", &Importer::softmax},
      {"Squeeze", &Importer::squeeze},
      {"Swish", &Importer::swish},
      {"Transpose", &Importer::transpose},
      {"Unsqueeze", &Importer::unsqueeze},
  };
  return kMethods;
}

void Importer::convert(const Node& node) {
  const Operator o(node, constants_);
  const std::string& op = o.op();
  if (computes_shapes(o) || fold(o)) return;
  const auto found = methods().find(op);
  if (found != methods().end()) return (this->*found->second)(o);
  // Their grids stand in for ReLUs, so that they cannot be left out.
  const bool integers = op.find("uantize") != op.npos || op.find("QLinear") != op.npos ||
                        op.find("Integer") != op.npos;
  o.expect(!integers, "a network in integers; expected the one in floats that it was made from");
  o.expect(false, "an operator that edgeprune's graphs do not have");
}

Archive Importer::run() {
  for (const Node& node : model_.nodes) convert(node);
  const auto logits = values_.find(model_.output.name);
  require(logits != values_.end(), "onnx", "nothing puts out '{}'", printable(model_.output.name));
  require(logits->second.part == Value::Part::whole && logits->second.pads == Pads{}, "onnx",
          "'{}' is what a constant is added to, or a padded map: expected a linear layer's output",
          printable(model_.output.name));
  keep_what_is_read(logits->second.node);
  infer_shapes(graph_);
  Archive archive{.notes = notes_, .other_files = model_.data_files};
  for (const auto& node : graph_.nodes) {
    for (const char* what :
         {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}) {
      const auto found = arrays_.find(node.name + "." + what);
      if (found != arrays_.end()) archive.arrays.insert(arrays_.extract(found));
    }
  }
  archive.metadata = metadata();
  if (!model_.metadata.contains("normalisation")) {
    archive.notes.emplace_back(
        "an ONNX file of others': normalised as ImageNet, classes without names");
  }
  return archive;
}

/// Leaves out what `last` does not need, and moves it to the end.
void Importer::keep_what_is_read(size_t last) {
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
std::map<std::string, std::string> Importer::metadata() const {
  std::map<std::string, std::string> result{
      {"format", "edgeprune/1"},
      {"normalisation", R"({"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]})"},
      {"resize", R"("squash")"},
      {"history", "[]"}};
  auto classes = nlohmann::json::array();
  for (int64_t i = 0; i < graph_.classes(); ++i) classes.push_back(fmt::format("class {}", i));
  result["classes"] = classes.dump();
  if (same_padding_) result["padding"] = R"("same")";
  for (const char* key : {"normalisation", "resize", "classes", "history", "padding"}) {
    const auto found = model_.metadata.find(key);
    if (found != model_.metadata.end()) result[key] = found->second;
  }
  result["graph"] = nlohmann::json(graph_).dump();
  auto history = parse_json(result["history"], "metadata 'history'");
  require(history.is_array(), "onnx", "metadata 'history' is no list");
  nlohmann::json step = {{"step", "import"}};
  if (padding_zeros_ > 0) step["padding_zeros"] = padding_zeros_;
  history.push_back(step);
  result["history"] = history.dump();
  return result;
}

Archive to_archive(const Model& model, int64_t open_size) {
  return Importer(model, open_size).run();
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
