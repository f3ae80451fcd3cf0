#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "engine/autograd/variable.h"
#include "engine/tensor/archive.h"

namespace edgeprune::nn {

/// Something with parameters, buffers and children, under PyTorch's names. A module registers its
/// members by address and can therefore not be copied.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Training or evaluation mode (batch norm, dropout), children included. A new module trains.
  void train(bool training = true);
  bool training() const { return training_; }

  /// All trainable parameters in registration order, dotted names.
  std::vector<NamedVariable> parameters() const;

  /// Parameters, buffers and counters as torch's state_dict() has them.
  std::map<std::string, Array> state_dict() const;
  /// Copies values in. Throws std::invalid_argument naming the first three missing, misshapen or
  /// surplus tensors and how many more there are; nothing is changed then.
  void load_state_dict(const std::map<std::string, Array>& arrays);

 protected:
  void add_parameter(std::string name, Variable& parameter);
  void add_buffer(std::string name, Tensor& buffer);
  void add_counter(std::string name, int64_t& counter);
  void add_module(std::string name, Module& child);

 private:
  using Entry = std::variant<Variable*, Tensor*, int64_t*>;
  void for_each(
      const std::string& prefix,
      const std::function<void(const std::string& name, const Entry& entry)>& visit) const;

  bool training_ = true;
  std::vector<std::pair<std::string, Entry>> entries_;
  std::vector<std::pair<std::string, Module*>> children_;
};

}  // namespace edgeprune::nn
