#pragma once
// The numbers by which ONNX's schema (onnx.proto) calls the fields of its messages, as far as they are used here.

#include <cstdint>

namespace edgeprune::onnx::field {

enum class Model : uint32_t {
  ir_version = 1,
  producer_name = 2,
  producer_version = 3,
  graph = 7,
  opset_import = 8,
  metadata_props = 14
};
enum class OperatorSet : uint32_t { domain = 1, version = 2 };
enum class StringEntry : uint32_t { key = 1, value = 2 };
enum class Graph : uint32_t { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
enum class Node : uint32_t { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
enum class Attribute : uint32_t { name = 1, f = 2, i = 3, s = 4, t = 5, ints = 8, type = 20 };
enum class Tensor : uint32_t {
  dims = 1,
  data_type = 2,
  float_data = 4,
  int32_data = 5,
  int64_data = 7,
  name = 8,
  raw_data = 9,
  double_data = 10,
  external_data = 13,
  data_location = 14
};
enum class ValueInfo : uint32_t { name = 1, type = 2 };
enum class Type : uint32_t { tensor_type = 1 };
enum class TensorType : uint32_t { elem_type = 1, shape = 2 };
enum class Shape : uint32_t { dim = 1 };
enum class Dimension : uint32_t { dim_value = 1, dim_param = 2 };

}  // namespace edgeprune::onnx::field
