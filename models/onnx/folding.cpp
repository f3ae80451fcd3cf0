// Lists of whole numbers that exporters compute in the graph, as PyTorch's do of a Pad's.

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "models/onnx/importer.h"

namespace edgeprune::onnx {
namespace {

constexpr size_t kMostFolded = 64;  ///< numbers: what shapes and paddings take

/// A list or a table.
struct Numbers {
  std::vector<int64_t> dims, values;

  size_t row() const { return dims.size() < 2 ? 1 : static_cast<size_t>(dims[1]); }
};

Numbers reshaped(const Operator& o, Numbers of, std::vector<int64_t> dims) {
  const auto count = std::ssize(of.values);
  int64_t known = 1;
  for (const int64_t dim : dims) {
    o.expect(dim == -1 || (dim > 0 && dim <= count), "of {} numbers to [{}]", count,
             fmt::join(dims, ","));
    known *= dim == -1 ? 1 : dim;
  }
  o.expect(std::ranges::count(dims, -1) <= 1, "of {} numbers to [{}]", count, fmt::join(dims, ","));
  std::ranges::replace(dims, -1, count / known);
  o.expect(std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>()) == count,
           "of {} numbers to [{}]", count, fmt::join(dims, ","));
  return {dims, of.values};
}

Numbers turned(const Numbers& of) {
  Numbers result{{of.dims[1], of.dims[0]}, {}};
  for (size_t column = 0; column < of.row(); ++column) {
    for (size_t i = column; i < of.values.size(); i += of.row()) {
      result.values.push_back(of.values[i]);
    }
  }
  return result;
}

/// The rows from the last to the first.
Numbers reversed(const Numbers& of) {
  Numbers result{of.dims, {}};
  for (size_t i = of.values.size(); i > 0; i -= of.row()) {
    const auto begin = of.values.begin() + static_cast<int64_t>(i - of.row());
    result.values.insert(result.values.end(), begin, begin + static_cast<int64_t>(of.row()));
  }
  return result;
}

}  // namespace

bool Importer::fold(const Operator& o) {
  static const std::set<std::string> kKnown{"Cast",    "Concat", "ConstantOfShape",
                                            "Reshape", "Slice",  "Transpose"};
  if (!kKnown.contains(o.op()) || o.inputs() == 0) return false;
  std::vector<Numbers> inputs;
  for (size_t i = 0; i < o.inputs(); ++i) {
    const Tensor* const tensor = o.constant(i);
    if (tensor == nullptr || tensor->type != DataType::int64 || tensor->dims.size() > 2 ||
        tensor->bytes.empty() || tensor->bytes.size() > kMostFolded * sizeof(int64_t)) {
      return false;
    }
    inputs.push_back({tensor->dims, o.values<int64_t>(i)});
  }
  Numbers result = inputs[0];
  if (o.op() == "Cast") {
    if (o.number("to", 0) != static_cast<int64_t>(DataType::int64)) return false;
  } else if (o.op() == "ConstantOfShape") {
    const auto fill = o.attribute<Tensor>("value");
    if (!fill || fill->type != DataType::int64 || fill->bytes.size() != sizeof(int64_t)) {
      return false;
    }
    const int64_t count = result.values[0];
    if (result.values.size() != 1 || count < 0 || count > int64_t{kMostFolded}) return false;
    int64_t value = 0;
    std::memcpy(&value, fill->bytes.data(), sizeof value);
    result = {{count}, std::vector<int64_t>(static_cast<size_t>(count), value)};
  } else if (o.op() == "Concat") {
    result.values.clear();
    for (const Numbers& input : inputs) {
      if (input.dims.size() != 1) return false;
      result.values.insert(result.values.end(), input.values.begin(), input.values.end());
    }
    if (result.values.size() > kMostFolded) return false;
    result.dims = {std::ssize(result.values)};
  } else if (o.op() == "Reshape") {
    if (inputs.size() != 2 || inputs[1].values.size() > 2) return false;
    result = reshaped(o, inputs[0], inputs[1].values);
  } else if (o.op() == "Transpose") {
    if (result.dims.size() != 2) return false;
    result = turned(result);
  } else {  // Slice, of all rows backwards: starts, ends, axes, steps
    const auto is = [&](size_t i, int64_t value) {
      return inputs[i].values == std::vector<int64_t>{value};
    };
    const bool backwards = inputs.size() == 5 && is(1, -1) && is(3, 0) && is(4, -1) &&
                           inputs[2].values[0] < -int64_t{kMostFolded};
    if (!backwards || result.dims.empty()) return false;
    result = reversed(result);
  }
  made_.push_back(make_tensor<int64_t>("", result.dims, result.values));
  constants_[o.output()] = &made_.back();
  return true;
}

}  // namespace edgeprune::onnx
