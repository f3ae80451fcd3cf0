#pragma once
// How the reader of graphs looks at a node: its attributes and constants, and complaints that name it.

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "models/onnx/model.h"

namespace edgeprune::onnx {

/// Constants by name.
using Constants = std::map<std::string, const Tensor*>;

class Operator {
 public:
  Operator(const Node& node, const Constants& constants) : node_(node), constants_(constants) {}

  template <typename... Args>
  void expect(bool ok, fmt::format_string<Args...> message, Args&&... args) const {
    if (ok) return;
    require(false, "onnx", "{} '{}': {}", printable(node_.op), printable(output()),
            fmt::format(message, std::forward<Args>(args)...));
  }

  const std::string& op() const { return node_.op; }
  const std::string& name() const { return node_.name; }
  const std::string& output() const {
    static const std::string kNone;
    return node_.outputs.empty() ? kNone : node_.outputs.front();
  }
  size_t inputs() const { return node_.inputs.size(); }
  const std::string& input(size_t i) const {
    expect(i < inputs(), "it has {} inputs, expected more", inputs());
    return node_.inputs[i];
  }

  template <typename T>
  std::optional<T> attribute(const std::string& name) const {
    for (const Attribute& one : node_.attributes) {
      if (one.name != name) continue;
      const T* const value = std::get_if<T>(&one.value);
      expect(value != nullptr, "its attribute '{}' is of another type than expected", name);
      return *value;
    }
    return {};
  }
  int64_t number(const std::string& name, int64_t otherwise) const {
    return attribute<int64_t>(name).value_or(otherwise);
  }
  float real(const std::string& name, float otherwise) const {
    return attribute<float>(name).value_or(otherwise);
  }
  /// The one value of all in a list.
  int64_t same(const std::string& name, int64_t otherwise) const {
    const auto list = attribute<std::vector<int64_t>>(name).value_or(std::vector<int64_t>{});
    if (list.empty()) return otherwise;
    expect(std::ranges::count(list, list.front()) == std::ssize(list),
           "its {} are [{}], expected them to be the same", name, fmt::join(list, ","));
    return list.front();
  }

  /// Of a map's four, ascending: the second input, or the attribute of older operators.
  std::vector<int64_t> axes() const {
    std::vector<int64_t> axes =
        inputs() > 1 ? values<int64_t>(1)
                     : attribute<std::vector<int64_t>>("axes").value_or(std::vector<int64_t>{});
    for (int64_t& axis : axes) axis = axis < 0 ? axis + 4 : axis;
    std::ranges::sort(axes);
    return axes;
  }

  /// Null if there is none.
  const Tensor* constant(size_t i) const {
    if (i >= inputs()) return nullptr;
    const auto found = constants_.find(node_.inputs[i]);
    return found == constants_.end() ? nullptr : found->second;
  }
  template <typename T>
  std::vector<T> values(size_t i) const {
    const Tensor* const tensor = constant(i);
    expect(tensor != nullptr, "its input '{}' is no constant", printable(input(i)));
    expect(tensor->type == data_type<T>(), "its input '{}' is of type {}, expected {}",
           printable(input(i)), static_cast<int>(tensor->type), static_cast<int>(data_type<T>()));
    std::vector<T> result(tensor->bytes.size() / sizeof(T));
    if (!result.empty()) std::memcpy(result.data(), tensor->bytes.data(), tensor->bytes.size());
    return result;
  }
  std::vector<float> floats(size_t i, size_t count) const {
    auto result = values<float>(i);
    expect(result.size() == count, "its input '{}' has {} values, expected {}", printable(input(i)),
           result.size(), count);
    return result;
  }

 private:
  const Node& node_;
  const Constants& constants_;
};

}  // namespace edgeprune::onnx
