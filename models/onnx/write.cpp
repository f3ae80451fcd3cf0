#include "models/onnx/write.h"

#include <protozero/pbf_builder.hpp>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/graph/graph.h"
#include "models/onnx/schema.h"

namespace edgeprune::onnx {
namespace {

template <typename Field>
using Builder = protozero::pbf_builder<Field>;

constexpr int32_t kExternal = 1;  ///< of TensorProto.DataLocation
// AttributeProto.AttributeType's numbers.
constexpr int32_t kFloat = 1, kInt = 2, kString = 3, kTensor = 4, kInts = 7;

/// The version of the file format that came with an operator set: readers that know the one know the other.
int64_t ir_version(int opset) {
  return opset < 15 ? 7 : 8;
}

void write(Builder<field::Tensor> to, const Tensor& tensor) {
  for (const int64_t dim : tensor.dims) to.add_int64(field::Tensor::dims, dim);
  to.add_int32(field::Tensor::data_type, static_cast<int32_t>(tensor.type));
  to.add_string(field::Tensor::name, tensor.name);
  if (!tensor.external) return to.add_bytes(field::Tensor::raw_data, tensor.bytes);
  const auto& [location, offset, length] = *tensor.external;
  for (const auto& [key, value] : {std::pair<const char*, std::string>{"location", location},
                                   {"offset", std::to_string(offset)},
                                   {"length", std::to_string(length)}}) {
    Builder<field::StringEntry> entry(to, field::Tensor::external_data);
    entry.add_string(field::StringEntry::key, key);
    entry.add_string(field::StringEntry::value, value);
  }
  to.add_enum(field::Tensor::data_location, kExternal);
}

void write(Builder<field::Attribute> to, const Attribute& attribute) {
  const auto type = [&](int32_t number) { to.add_enum(field::Attribute::type, number); };
  to.add_string(field::Attribute::name, attribute.name);
  std::visit(overloaded{
                 [&](int64_t value) {
                   to.add_int64(field::Attribute::i, value);
                   type(kInt);
                 },
                 [&](float value) {
                   to.add_float(field::Attribute::f, value);
                   type(kFloat);
                 },
                 [&](const std::vector<int64_t>& values) {
                   for (const int64_t value : values) to.add_int64(field::Attribute::ints, value);
                   type(kInts);
                 },
                 [&](const std::string& value) {
                   to.add_bytes(field::Attribute::s, value);
                   type(kString);
                 },
                 [&](const Tensor& value) {
                   write(Builder<field::Tensor>(to, field::Attribute::t), value);
                   type(kTensor);
                 },
             },
             attribute.value);
}

void write(Builder<field::Node> to, const Node& node) {
  for (const std::string& input : node.inputs) to.add_string(field::Node::input, input);
  for (const std::string& output : node.outputs) to.add_string(field::Node::output, output);
  to.add_string(field::Node::name, node.name);
  to.add_string(field::Node::op_type, node.op);
  for (const Attribute& attribute : node.attributes) {
    write(Builder<field::Attribute>(to, field::Node::attribute), attribute);
  }
}

void write(Builder<field::ValueInfo> to, const ValueInfo& value) {
  to.add_string(field::ValueInfo::name, value.name);
  Builder<field::Type> type(to, field::ValueInfo::type);
  Builder<field::TensorType> tensor(type, field::Type::tensor_type);
  tensor.add_int32(field::TensorType::elem_type, static_cast<int32_t>(value.type));
  Builder<field::Shape> shape(tensor, field::TensorType::shape);
  for (const int64_t size : value.dims) {
    Builder<field::Dimension> dim(shape, field::Shape::dim);
    if (size == kAnyBatch) {
      dim.add_string(field::Dimension::dim_param, "batch");
    } else {
      dim.add_int64(field::Dimension::dim_value, size);
    }
  }
}

void write(Builder<field::Graph> to, const Model& model) {
  for (const Node& node : model.nodes) write(Builder<field::Node>(to, field::Graph::node), node);
  to.add_string(field::Graph::name, model.name);
  for (const Tensor& tensor : model.initializers) {
    write(Builder<field::Tensor>(to, field::Graph::initializer), tensor);
  }
  write(Builder<field::ValueInfo>(to, field::Graph::input), model.input);
  write(Builder<field::ValueInfo>(to, field::Graph::output), model.output);
}

void require_at_most(size_t most, size_t bytes) {
  require(bytes <= most, "onnx", "the network takes {} bytes, an ONNX file holds {} at most", bytes,
          most);
}

}  // namespace

std::string serialize(const Model& model, size_t most) {
  size_t constants = 0;
  for (const Tensor& tensor : model.initializers) constants += tensor.bytes.size();
  require_at_most(most, constants);
  std::string bytes;
  bytes.reserve(constants + constants / 16);
  Builder<field::Model> to(bytes);
  to.add_int64(field::Model::ir_version, ir_version(model.opset));
  to.add_string(field::Model::producer_name, "edgeprune");
  to.add_string(field::Model::producer_version, model.producer_version);
  write(Builder<field::Graph>(to, field::Model::graph), model);
  {
    Builder<field::OperatorSet> operators(to, field::Model::opset_import);
    operators.add_string(field::OperatorSet::domain, "");  // ONNX's own
    operators.add_int64(field::OperatorSet::version, model.opset);
  }
  for (const auto& [key, value] : model.metadata) {
    Builder<field::StringEntry> entry(to, field::Model::metadata_props);
    entry.add_string(field::StringEntry::key, key);
    entry.add_string(field::StringEntry::value, value);
  }
  require_at_most(most, bytes.size());
  return bytes;
}

void write_onnx(const std::string& path, const Model& model) {
  write_file_atomically(path, serialize(model));
}

}  // namespace edgeprune::onnx
