#include "engine/nn/module.h"

#include <fmt/ranges.h>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune::nn {
namespace {

/// That one message lists: of a file that has nothing to do with the model there may be thousands.
constexpr size_t kMostProblems = 3;

}  // namespace

void Module::train(bool training) {
  training_ = training;
  for (auto& [name, child] : children_) child->train(training);
}

void Module::add_parameter(std::string name, Variable& parameter) {
  entries_.emplace_back(std::move(name), &parameter);
}
void Module::add_buffer(std::string name, Tensor& buffer) {
  entries_.emplace_back(std::move(name), &buffer);
}
void Module::add_counter(std::string name, int64_t& counter) {
  entries_.emplace_back(std::move(name), &counter);
}
void Module::add_module(std::string name, Module& child) {
  children_.emplace_back(std::move(name), &child);
}

void Module::for_each(
    const std::string& prefix,
    const std::function<void(const std::string& name, const Entry& entry)>& visit) const {
  for (const auto& [name, entry] : entries_) visit(prefix + name, entry);
  for (const auto& [name, child] : children_) child->for_each(prefix + name + ".", visit);
}

std::vector<NamedVariable> Module::parameters() const {
  std::vector<NamedVariable> result;
  for_each("", [&](const std::string& name, const Entry& entry) {
    if (const auto* parameter = std::get_if<Variable*>(&entry))
      result.push_back({name, **parameter});
  });
  return result;
}

std::map<std::string, Array> Module::state_dict() const {
  std::map<std::string, Array> arrays;
  for_each("", [&](const std::string& name, const Entry& entry) {
    if (const auto* parameter = std::get_if<Variable*>(&entry)) {
      arrays.emplace(name, Array::from((*parameter)->value()));
    } else if (const auto* buffer = std::get_if<Tensor*>(&entry)) {
      arrays.emplace(name, Array::from(**buffer));
    } else {
      arrays.emplace(name, Array::from(*std::get<int64_t*>(entry)));
    }
  });
  return arrays;
}

void Module::load_state_dict(const std::map<std::string, Array>& arrays) {
  std::map<std::string, Array> own;  // types and shapes alone
  for_each("", [&](const std::string& name, const Entry& entry) {
    if (const auto* parameter = std::get_if<Variable*>(&entry)) {
      own[name] = {DType::f32, (*parameter)->shape(), {}};
    } else if (const auto* buffer = std::get_if<Tensor*>(&entry)) {
      own[name] = {DType::f32, (*buffer)->shape(), {}};
    } else {
      own[name] = {DType::i64, {}, {}};
    }
  });
  std::vector<std::string> problems;
  for (const auto& [name, array] : own) {
    const auto found = arrays.find(name);
    if (found == arrays.end()) {
      problems.push_back(fmt::format("missing {}", name));
    } else if (found->second.dtype != array.dtype || !(found->second.shape == array.shape)) {
      problems.push_back(fmt::format(
          "{} is {} {}, expected {} {}", name, to_string(found->second.dtype),
          found->second.shape.to_string(), to_string(array.dtype), array.shape.to_string()));
    }
  }
  for (const auto& [name, array] : arrays) {
    if (!own.contains(name)) problems.push_back(fmt::format("surplus {}", printable(name)));
  }
  if (problems.size() > kMostProblems) {
    const size_t more = problems.size() - kMostProblems;
    problems.resize(kMostProblems);
    problems.push_back(fmt::format("and {} more", more));
  }
  require(problems.empty(), "load_state_dict", "the weights do not fit the model: {}",
          fmt::join(problems, "; "));

  for_each("", [&](const std::string& name, const Entry& entry) {
    const Array& array = arrays.at(name);
    if (const auto* parameter = std::get_if<Variable*>(&entry)) {
      array.copy_to((*parameter)->value(), name);
    } else if (const auto* buffer = std::get_if<Tensor*>(&entry)) {
      array.copy_to(**buffer, name);
    } else {
      *std::get<int64_t*>(entry) = array.to_int64(name);
    }
  });
}

}  // namespace edgeprune::nn
