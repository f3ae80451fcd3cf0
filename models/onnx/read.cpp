#include "models/onnx/read.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <protozero/pbf_message.hpp>
#include <set>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "models/onnx/schema.h"

namespace edgeprune::onnx {
namespace {

// A node takes two bytes of a file and a hundred times as much of memory.
constexpr size_t kMostParts = 100'000, kMostDims = 8, kMostTensorBytes = size_t{1} << 31;

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

size_t bytes_each(DataType type) {
  switch (type) {
    case DataType::float32:
    case DataType::int32:
      return 4;
    case DataType::uint8:
    case DataType::int8:
      return 1;
    case DataType::int64:
      return 8;
  }
  require(false, "onnx", "constants of type {} are not known", static_cast<int32_t>(type));
  return 0;
}

Tensor tensor(Message<field::Tensor> from) {
  using Field = field::Tensor;
  Tensor result{"", DataType::float32, {}, ""};
  std::vector<int64_t> numbers;
  bool external = false;
  from.each([&](Field field) {
    if (field == Field::dims) from.numbers(result.dims);
    if (field == Field::data_type) result.type = static_cast<DataType>(from.number());
    if (field == Field::name) result.name = from.text();
    if (field == Field::raw_data || field == Field::float_data) result.bytes = from.text();
    if (field == Field::int64_data) from.numbers(numbers);
    external = external || field == Field::external_data;
    require(result.dims.size() <= kMostDims, "onnx", "constant of more than {} dimensions",
            kMostDims);
  });
  const std::string name = printable(result.name);
  require(!external, "onnx", "constant '{}' is kept in another file: expected all in one", name);
  if (!numbers.empty()) {
    result.bytes.resize(numbers.size() * sizeof(int64_t));
    std::memcpy(result.bytes.data(), numbers.data(), result.bytes.size());
  }
  size_t expected = bytes_each(result.type);
  for (const int64_t dim : result.dims) {
    require(dim >= 0 && (dim == 0 || expected <= kMostTensorBytes / static_cast<size_t>(dim)),
            "onnx", "constant '{}' has a dimension of {}", name, dim);
    expected *= static_cast<size_t>(dim);
  }
  require(result.bytes.size() == expected, "onnx", "constant '{}' has {} bytes, expected {}", name,
          result.bytes.size(), expected);
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

void entry(Message<field::StringEntry> from, Model& model) {
  std::string key, value;
  from.each([&](field::StringEntry field) {
    if (field == field::StringEntry::key) key = from.text();
    if (field == field::StringEntry::value) value = from.text();
  });
  model.metadata[key] = value;
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
      if (field == Field::metadata_props) entry(from.message<field::StringEntry>(), model);
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
  try {
    return parse({bytes.data(), bytes.size()});
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
