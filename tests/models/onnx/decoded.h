#pragma once
// An .onnx file's bytes as a model in memory, by the numbers of onnx.proto (ONNX 1.12) and not by those that it was written
// with: what a reader elsewhere finds.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

namespace edgeprune::testing {

struct DecodedTensor {
  int type = 0;
  std::vector<int64_t> dims;
  std::string bytes;

  template <typename T>
  std::vector<T> values() const {
    std::vector<T> result(bytes.size() / sizeof(T));
    std::memcpy(result.data(), bytes.data(), result.size() * sizeof(T));
    return result;
  }
};

struct DecodedNode {
  std::string op, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, std::vector<int64_t>> ints;  ///< attributes of type INT and INTS
  std::map<std::string, float> floats;
  std::map<std::string, std::string> strings;
  std::map<std::string, DecodedTensor> tensors;
};

struct DecodedValue {
  std::string name;
  int type = 0;
  std::vector<std::string> dims;  ///< numbers, or names
};

struct DecodedModel {
  int64_t ir_version = 0, opset = 0;
  std::string producer, producer_version, domain = "none", graph;
  std::vector<DecodedNode> nodes;
  std::map<std::string, DecodedTensor> constants;
  std::vector<DecodedValue> inputs, outputs;
  std::map<std::string, std::string> metadata;

  /// The first one whose output is called so.
  const DecodedNode& node(const std::string& output) const {
    for (const DecodedNode& node : nodes) {
      if (node.outputs.at(0) == output) return node;
    }
    throw std::out_of_range("no node puts out " + output);
  }
  int64_t count(const std::string& op) const {
    int64_t found = 0;
    for (const DecodedNode& node : nodes) found += node.op == op;
    return found;
  }
};

/// Calls visit(number, message) for each field.
void for_each_field(protozero::pbf_reader message, const auto& visit) {
  while (message.next()) visit(message.tag(), message);
}

/// And its name.
inline std::pair<std::string, DecodedTensor> decode_tensor(protozero::pbf_reader message) {
  std::string name;
  DecodedTensor tensor;
  for_each_field(message, [&](auto tag, auto& field) {
    if (tag == 1)
      tensor.dims.push_back(field.get_int64());
    else if (tag == 2)
      tensor.type = field.get_int32();
    else if (tag == 8)
      name = field.get_string();
    else if (tag == 9)
      tensor.bytes = field.get_bytes();
    else
      ADD_FAILURE() << "tensor with field " << tag;
  });
  return {name, tensor};
}

inline void decode_attribute(protozero::pbf_reader message, DecodedNode& node) {
  std::string name, text;
  int64_t type = 0;
  std::vector<int64_t> ints;
  float number = 0;
  DecodedTensor tensor;
  for_each_field(message, [&](auto tag, auto& field) {
    if (tag == 1)
      name = field.get_string();
    else if (tag == 2)
      number = field.get_float();
    else if (tag == 3 || tag == 8)
      ints.push_back(field.get_int64());
    else if (tag == 4)
      text = field.get_bytes();
    else if (tag == 5)
      tensor = decode_tensor(field.get_message()).second;
    else if (tag == 20)
      type = field.get_enum();
    else
      ADD_FAILURE() << "attribute with field " << tag;
  });
  switch (type) {  // AttributeProto.AttributeType
    case 1:
      node.floats[name] = number;
      break;
    case 3:
      node.strings[name] = text;
      break;
    case 4:
      node.tensors[name] = tensor;
      break;
    default:
      EXPECT_TRUE(type == 7 || (type == 2 && ints.size() == 1)) << name;
      node.ints[name] = ints;
  }
}

inline DecodedNode decode_node(protozero::pbf_reader message) {
  DecodedNode node;
  for_each_field(message, [&](auto tag, auto& field) {
    if (tag == 1)
      node.inputs.push_back(field.get_string());
    else if (tag == 2)
      node.outputs.push_back(field.get_string());
    else if (tag == 3)
      node.name = field.get_string();
    else if (tag == 4)
      node.op = field.get_string();
    else if (tag == 5)
      decode_attribute(field.get_message(), node);
    else
      ADD_FAILURE() << "node with field " << tag;
  });
  return node;
}

inline DecodedValue decode_value(protozero::pbf_reader message) {
  DecodedValue value;
  const auto dim = [&](auto tag, auto& field) {
    value.dims.push_back(tag == 1 ? std::to_string(field.get_int64())
                                  : std::string(field.get_string()));
  };
  const auto shape = [&](auto, auto& field) { for_each_field(field.get_message(), dim); };
  const auto tensor_type = [&](auto tag, auto& field) {
    if (tag == 1)
      value.type = field.get_int32();
    else
      for_each_field(field.get_message(), shape);
  };
  const auto type = [&](auto tag, auto& field) {
    EXPECT_EQ(tag, 1u) << "no tensor";
    for_each_field(field.get_message(), tensor_type);
  };
  for_each_field(message, [&](auto tag, auto& field) {
    if (tag == 1)
      value.name = field.get_string();
    else
      for_each_field(field.get_message(), type);
  });
  return value;
}

inline DecodedModel decode(const std::string& bytes) {
  DecodedModel model;
  const auto graph = [&](auto tag, auto& field) {
    if (tag == 1)
      model.nodes.push_back(decode_node(field.get_message()));
    else if (tag == 2)
      model.graph = field.get_string();
    else if (tag == 5)
      EXPECT_TRUE(model.constants.insert(decode_tensor(field.get_message())).second)
          << "one name twice";
    else if (tag == 11)
      model.inputs.push_back(decode_value(field.get_message()));
    else if (tag == 12)
      model.outputs.push_back(decode_value(field.get_message()));
    else
      ADD_FAILURE() << "graph with field " << tag;
  };
  const auto opset = [&](auto tag, auto& field) {
    if (tag == 1)
      model.domain = field.get_string();
    else
      model.opset = field.get_int64();
  };
  std::string key;
  const auto entry = [&](auto tag, auto& field) {
    if (tag == 1)
      key = field.get_string();
    else
      model.metadata[key] = field.get_string();
  };
  for_each_field(protozero::pbf_reader(bytes), [&](auto tag, auto& field) {
    if (tag == 1)
      model.ir_version = field.get_int64();
    else if (tag == 2)
      model.producer = field.get_string();
    else if (tag == 3)
      model.producer_version = field.get_string();
    else if (tag == 7)
      for_each_field(field.get_message(), graph);
    else if (tag == 8)
      for_each_field(field.get_message(), opset);
    else if (tag == 14)
      for_each_field(field.get_message(), entry);
    else
      ADD_FAILURE() << "model with field " << tag;
  });
  return model;
}

}  // namespace edgeprune::testing
