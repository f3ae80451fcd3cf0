#include "models/onnx/constants.h"

#include <charconv>
#include <cstring>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "models/onnx/read.h"

namespace edgeprune::onnx {
namespace {

constexpr size_t kMostTensorBytes = size_t{1} << 31;
/// Constants may share bytes. So many times a file's bytes they take together at most.
constexpr size_t kMostShared = 16;

int64_t number_of(const std::string& name, const std::string& key, const std::string& text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0, "onnx",
          "constant '{}' is kept in another file, at {} '{}': expected a number", name, key,
          printable(text));
  return value;
}

/// Visits each constant that is kept in another file.
template <typename Visit>
void for_each_external(Model& model, const Visit& visit) {
  for (Tensor& tensor : model.initializers) {
    if (tensor.external) visit(tensor);
  }
  for (Node& node : model.nodes) {
    for (Attribute& attribute : node.attributes) {
      auto* const tensor = std::get_if<Tensor>(&attribute.value);
      if (tensor != nullptr && tensor->external) visit(*tensor);
    }
  }
}

}  // namespace

DType dtype_of(DataType type) {
  switch (type) {
    case DataType::float32:
      return DType::f32;
    case DataType::int32:
      return DType::i32;
    case DataType::uint8:
      return DType::u8;
    case DataType::int8:
      return DType::i8;
    case DataType::int64:
      return DType::i64;
    case DataType::float16:
      return DType::f16;
    case DataType::float64:
      return DType::f64;
    case DataType::bfloat16:
      return DType::bf16;
  }
  require(false, "onnx", "constants of type {} are not known", static_cast<int32_t>(type));
  return DType::f32;
}

size_t bytes_of(const Tensor& tensor) {
  size_t bytes = size_of(dtype_of(tensor.type));
  for (const int64_t dim : tensor.dims) {
    require(dim >= 0 && (dim == 0 || bytes <= kMostTensorBytes / static_cast<size_t>(dim)), "onnx",
            "constant '{}' has a dimension of {}", printable(tensor.name), dim);
    bytes *= static_cast<size_t>(dim);
  }
  return bytes;
}

void complete(Tensor& tensor) {
  const size_t expected = bytes_of(tensor);
  require(tensor.bytes.size() == expected, "onnx", "constant '{}' has {} bytes, expected {}",
          printable(tensor.name), tensor.bytes.size(), expected);
  const bool floating = tensor.type == DataType::float16 || tensor.type == DataType::float64 ||
                        tensor.type == DataType::bfloat16;
  if (!floating) return;
  Array array{dtype_of(tensor.type), Shape(tensor.dims), {}};
  array.bytes.resize(expected);
  if (expected > 0) std::memcpy(array.bytes.data(), tensor.bytes.data(), expected);
  const Array floats = array.to_f32();
  tensor.type = DataType::float32;
  tensor.bytes.assign(reinterpret_cast<const char*>(floats.bytes.data()), floats.bytes.size());
}

External external_of(const std::string& name, const std::map<std::string, std::string>& entries) {
  External result;
  for (const auto& [key, value] : entries) {
    if (key == "location") result.location = value;
    if (key == "offset") result.offset = number_of(name, key, value);
    if (key == "length") result.length = number_of(name, key, value);
  }
  const std::string& file = result.location;
  require(!file.empty() && file != "." && file != ".." &&
              file.find_first_of(std::string_view("/\\\0", 3)) == file.npos,
          "onnx", "constant '{}' is kept in '{}': expected the name of a file beside the model",
          name, printable(file));
  return result;
}

void read_external(Model& model, const std::function<std::vector<char>(const std::string&)>& read) {
  std::map<std::string, std::vector<char>> files;
  size_t left = 0;
  for_each_external(model, [&](Tensor& tensor) {
    const External from = *std::exchange(tensor.external, {});
    const auto [found, is_new] = files.try_emplace(from.location);
    std::vector<char>& file = found->second;
    if (is_new) {
      file = read(from.location);
      left += kMostShared * file.size();
    }
    const size_t bytes = bytes_of(tensor), offset = static_cast<size_t>(from.offset);
    require(from.length < 0 || static_cast<size_t>(from.length) == bytes, "onnx",
            "constant '{}' has {} bytes in '{}', expected {}", printable(tensor.name), from.length,
            printable(from.location), bytes);
    require(offset <= file.size() && bytes <= file.size() - offset, "onnx",
            "constant '{}' is to be {} bytes of '{}' from {} on, which has {}",
            printable(tensor.name), bytes, printable(from.location), offset, file.size());
    require(bytes <= left, "onnx", "its constants take more than {} times what '{}' holds",
            kMostShared, printable(from.location));
    left -= bytes;
    tensor.bytes.assign(file.data() + offset, bytes);
    complete(tensor);
  });
}

}  // namespace edgeprune::onnx
