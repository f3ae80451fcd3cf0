#include "models/onnx/read.h"

#include <algorithm>
#include <filesystem>
#include <protozero/pbf_message.hpp>
#include <set>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "models/onnx/constants.h"
#include "models/onnx/schema.h"

namespace edgeprune::onnx {
namespace {

// A node takes two bytes of a file and a hundred times as much of memory.
constexpr size_t kMostParts = 100'000, kMostDims = 8;

/// A message of a file that nobody vouches for: protozero's functions take it for granted that a field has the type asked for.
template <typename Field>
class Message {
 public:
  explicit Message(protozero::data_view bytes) : fields_(bytes) {}

  /// Calls visit(field), which takes the field or leaves it, for each.
  template <typename Visit>
  void each(const Visit& visit) {
    while (fields_.next()) {
      taken_ = false;
      visit(fields_.tag());
      if (!taken_) fields_.skip();
    }
  }

  protozero::data_view view() {
    expect(protozero::pbf_wire_type::length_delimited);
    return fields_.get_view();
  }
  std::string text() {
    const auto bytes = view();
    return {bytes.data(), bytes.size()};
  }
  template <typename Inner>
  Message<Inner> message() {
    return Message<Inner>(view());
  }
  int64_t number() {
    expect(protozero::pbf_wire_type::varint);
    return fields_.get_int64();
  }
  float real() {
    expect(protozero::pbf_wire_type::fixed32);
    return fields_.get_float();
  }
  /// One more number, or many in a row.
  void numbers(std::vector<int64_t>& to) {
    if (fields_.wire_type() == protozero::pbf_wire_type::varint) return to.push_back(number());
    expect(protozero::pbf_wire_type::length_delimited);
    for (const int64_t one : fields_.get_packed_int64()) to.push_back(one);
  }

 private:
  void expect(protozero::pbf_wire_type type) {
    require(fields_.wire_type() == type, "onnx", "field {} is of the wrong type",
            static_cast<uint32_t>(fields_.tag()));
    taken_ = true;
  }

  protozero::pbf_message<Field> fields_;
  bool taken_ = false;
};

std::pair<std::string, std::string> entry(Message<field::StringEntry> from) {
  std::pair<std::string, std::string> result;
  from.each([&](field::StringEntry field) {
    if (field == field::StringEntry::key) result.first = from.text();
    if (field == field::StringEntry::value) result.second = from.text();
  });
  return result;
}

/// What numbers that stand in fields of their own are in memory, one behind the other.
template <typename T>
std::string bytes_of(const std::vector<int64_t>& numbers) {
  std::string bytes;
  for (const int64_t number : numbers) {
    const auto value = static_cast<T>(number);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return bytes;
}

Tensor tensor(Message<field::Tensor> from) {
  using Field = field::Tensor;
  Tensor result{"", DataType::float32, {}, "", {}};
  std::vector<int64_t> numbers;
  std::map<std::string, std::string> external;
  from.each([&](Field field) {
    if (field == Field::dims) from.numbers(result.dims);
    if (field == Field::data_type) result.type = static_cast<DataType>(from.number());
    if (field == Field::name) result.name = from.text();
    if (field == Field::raw_data || field == Field::float_data || field == Field::double_data) {
      result.bytes = from.text();
    }
    if (field == Field::int64_data || field == Field::int32_data) from.numbers(numbers);
    if (field == Field::external_data) {
      external.insert(entry(from.message<field::StringEntry>()));
    }
    require(result.dims.size() <= kMostDims && external.size() <= kMostDims, "onnx",
            "constant of more than {} dimensions", kMostDims);
  });
  if (!numbers.empty()) {
    switch (size_of(dtype_of(result.type))) {
      case 8:
        result.bytes = bytes_of<int64_t>(numbers);
        break;
      case 4:
        result.bytes = bytes_of<int32_t>(numbers);
        break;
      case 2:
        result.bytes = bytes_of<uint16_t>(numbers);
        break;
      default:
        result.bytes = bytes_of<uint8_t>(numbers);
    }
  }
  if (external.empty()) {
    complete(result);
  } else {
    result.external = external_of(printable(result.name), external);
  }
  return result;
}

Attribute attribute(Message<field::Attribute> from) {
  using Field = field::Attribute;
  Attribute result{"", int64_t{0}};
  std::vector<int64_t> ints;
  from.each([&](Field field) {
    if (field == Field::name) result.name = from.text();
    if (field == Field::i) result.value = from.number();
    if (field == Field::f) result.value = from.real();
    if (field == Field::s) result.value = from.text();
    if (field == Field::t) result.value = tensor(from.message<field::Tensor>());
    if (field == Field::ints) from.numbers(ints);
  });
  if (!ints.empty()) result.value = std::move(ints);
  return result;
}

Node node(Message<field::Node> from) {
  using Field = field::Node;
  Node result;
  from.each([&](Field field) {
    if (field == Field::input) result.inputs.push_back(from.text());
    if (field == Field::output) result.outputs.push_back(from.text());
    if (field == Field::name) result.name = from.text();
    if (field == Field::op_type) result.op = from.text();
    if (field == Field::attribute) {
      result.attributes.push_back(attribute(from.message<field::Attribute>()));
    }
  });
  return result;
}

ValueInfo value_info(Message<field::ValueInfo> from) {
  ValueInfo result{"", DataType::float32, {}};
  const auto shape = [&](Message<field::Shape> dims) {
    dims.each([&](field::Shape) {
      int64_t size = kAnyBatch;
      auto dim = dims.message<field::Dimension>();
      dim.each([&](field::Dimension field) {
        if (field == field::Dimension::dim_value) size = dim.number();
      });
      result.dims.push_back(size);
      require(result.dims.size() <= kMostDims, "onnx", "a value of more than {} dimensions",
              kMostDims);
    });
  };
  const auto type = [&](Message<field::TensorType> tensor) {
    tensor.each([&](field::TensorType field) {
      if (field == field::TensorType::elem_type)
        result.type = static_cast<DataType>(tensor.number());
      if (field == field::TensorType::shape) shape(tensor.message<field::Shape>());
    });
  };
  from.each([&](field::ValueInfo field) {
    if (field == field::ValueInfo::name) result.name = from.text();
    if (field != field::ValueInfo::type) return;
    auto kind = from.message<field::Type>();
    kind.each([&](field::Type sort) {
      if (sort == field::Type::tensor_type) type(kind.message<field::TensorType>());
    });
  });
  return result;
}

/// The one of them that is no constant: files of before 2019 list those as inputs, too.
ValueInfo only(const char* what, const std::vector<ValueInfo>& values, const Model& model) {
  std::set<std::string> constants;
  for (const Tensor& tensor : model.initializers) constants.insert(tensor.name);
  std::vector<ValueInfo> left;
  for (const ValueInfo& value : values) {
    if (!constants.contains(value.name)) left.push_back(value);
  }
  require(left.size() == 1, "onnx", "{} {}s, expected one", left.size(), what);
  return left.front();
}

void graph(Message<field::Graph> from, Model& model) {
  using Field = field::Graph;
  std::vector<ValueInfo> inputs, outputs;
  from.each([&](Field field) {
    if (field == Field::name) model.name = from.text();
    if (field == Field::node) model.nodes.push_back(node(from.message<field::Node>()));
    if (field == Field::initializer) {
      model.initializers.push_back(tensor(from.message<field::Tensor>()));
    }
    if (field == Field::input) inputs.push_back(value_info(from.message<field::ValueInfo>()));
    if (field == Field::output) outputs.push_back(value_info(from.message<field::ValueInfo>()));
    const size_t parts =
        std::max({model.nodes.size(), model.initializers.size(), inputs.size(), outputs.size()});
    require(parts <= kMostParts, "onnx", "more than {} nodes or constants", kMostParts);
  });
  model.input = only("input", inputs, model);
  model.output = only("output", outputs, model);
}

void operators(Message<field::OperatorSet> from, Model& model) {
  std::string domain;
  int64_t version = 0;
  from.each([&](field::OperatorSet field) {
    if (field == field::OperatorSet::domain) domain = from.text();
    if (field == field::OperatorSet::version) version = from.number();
  });
  if (domain.empty() || domain == "ai.onnx") model.opset = static_cast<int>(version);
}

}  // namespace

Model parse(std::string_view bytes) {
  using Field = field::Model;
  Model model;
  bool whole = false;
  try {
    Message<Field> from(protozero::data_view(bytes.data(), bytes.size()));
    from.each([&](Field field) {
      if (field == Field::producer_version) model.producer_version = from.text();
      if (field == Field::opset_import) operators(from.message<field::OperatorSet>(), model);
      if (field == Field::metadata_props) {
        const auto [key, value] = entry(from.message<field::StringEntry>());
        model.metadata[key] = value;
      }
      if (field != Field::graph) return;
      require(!whole, "onnx", "two graphs");
      whole = true;
      graph(from.message<field::Graph>(), model);
    });
  } catch (const protozero::exception& error) {
    require(false, "onnx", "damaged, or no ONNX file ({})", error.what());
  }
  require(whole, "onnx", "no ONNX file: there is no graph in it");
  return model;
}

Model read_onnx(const std::string& path) {
  const std::vector<char> bytes = read_file(path);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  try {
    Model model = parse({bytes.data(), bytes.size()});
    read_external(model, [&](const std::string& name) {
      model.data_files.push_back((folder / name).string());
      try {
        return read_file(model.data_files.back(), Links::refused);
      } catch (const FileError& error) {
        throw std::invalid_argument(fmt::format("[onnx] its weights: {}", error.what()));
      }
    });
    return model;
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", path, error.what()));
  }
}

bool is_onnx(const std::string& path) {
  // Field 1, the version of the format, which has one byte; then another of the model's fields.
  const std::string start = start_of_file(path, 3);
  if (start.size() < 3 || start[0] != 0x08 || start[1] < 1) return false;
  return std::string_view("\x12\x1a\x22\x28\x32\x3a\x42\x72").find(start[2]) !=
         std::string_view::npos;
}

}  // namespace edgeprune::onnx
