#pragma once
// An ONNX model in memory, as far as ours need one: what the schema calls ModelProto, GraphProto and so on.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace edgeprune::onnx {

/// TensorProto.DataType's numbers.
enum class DataType : int32_t {
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  int32 = 6,
  int64 = 7,
  float16 = 10,
  float64 = 11,
  bfloat16 = 16
};

template <typename T>
constexpr DataType data_type();
template <>
constexpr DataType data_type<float>() {
  return DataType::float32;
}
template <>
constexpr DataType data_type<uint8_t>() {
  return DataType::uint8;
}
template <>
constexpr DataType data_type<int8_t>() {
  return DataType::int8;
}
template <>
constexpr DataType data_type<int32_t>() {
  return DataType::int32;
}
template <>
constexpr DataType data_type<int64_t>() {
  return DataType::int64;
}

/// Where another file keeps a constant's bytes.
struct External {
  std::string location;
  int64_t offset = 0, length = -1;  ///< -1: as many as the constant has
};

/// A constant (an initializer). No dims: one number, of rank 0.
struct Tensor {
  std::string name;
  DataType type;
  std::vector<int64_t> dims;
  std::string bytes;                      ///< little-endian, as in memory
  std::optional<External> external = {};  ///< the bytes are still to be read from there
};

template <typename T>
Tensor make_tensor(std::string name, std::vector<int64_t> dims, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {std::move(name),
          data_type<T>(),
          std::move(dims),
          std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
          {}};
}

struct Attribute {
  std::string name;
  std::variant<int64_t, float, std::vector<int64_t>, std::string, Tensor> value;
};

struct Node {
  std::string op, name;
  std::vector<std::string> inputs, outputs;
  std::vector<Attribute> attributes;
};

inline constexpr int64_t kAnyBatch = -1;  ///< a dimension that a run may choose

struct ValueInfo {
  std::string name;
  DataType type;
  std::vector<int64_t> dims;
};

struct Model {
  int opset = 0;  ///< version of the operators
  std::string producer_version = {}, name = {};
  std::vector<Node> nodes = {};  ///< each behind those that it reads
  std::vector<Tensor> initializers = {};
  ValueInfo input = {}, output = {};
  std::map<std::string, std::string> metadata = {};
  std::vector<std::string> data_files = {};  ///< paths of others that hold constants
};

}  // namespace edgeprune::onnx
