#pragma once
// A dynamic graph: each op that runs records how to send gradients back to its inputs.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/autograd/lazy.h"

namespace edgeprune {

/// The gradients of an op's inputs, as its backward function sees them.
class InputGrads {
 public:
  virtual ~InputGrads() = default;
  /// Whether input i requires a gradient: if not, it need not be computed.
  virtual bool wanted(size_t i) const = 0;
  /// Adds to input i's gradient. A tensor may be kept: its buffer must not be written to
  /// afterwards.
  virtual void add(size_t i, LazyGradient grad) = 0;
};

/// Receives d(loss)/d(output). It should capture just the tensors that it reads, so that others can
/// be freed. It may take a const Tensor& just as well.
using BackwardFunction = std::function<void(const LazyGradient& grad_output, InputGrads& inputs)>;

/// A tensor that gradients can be taken with respect to. Copies are handles on the same value,
/// gradient and history; the history does not hold on to the values.
class Variable {
 public:
  Variable() = default;
  explicit Variable(LazyValue value, bool requires_grad = false);

  /// The result of an op on `inputs`. Without a gradient to compute (NoGrad, or no input that
  /// requires one) nothing is recorded, and `backward` is dropped with all that it captured.
  static Variable result(LazyValue value, const std::vector<Variable>& inputs,
                         BackwardFunction backward);

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_.get(); }
  Tensor& value() { return value_.get(); }  ///< to write to: a leaf's
  const LazyValue& lazy_value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  bool requires_grad() const { return node_ != nullptr; }

  /// d(loss)/d(this) after backward(); undefined before, or if nothing flowed here.
  const Tensor& grad() const;
  void clear_grad();

  /// Sends gradients from this scalar (or from `grad_output`, shaped like the value) back to every
  /// leaf that requires one. Closures and intermediate gradients are released on the way: a graph
  /// is walked once. Throws std::invalid_argument if this is no scalar and no grad_output is given,
  /// or nothing requires a gradient.
  void backward(Tensor grad_output = {});

 private:
  struct Node;
  LazyValue value_;
  std::shared_ptr<Node> node_;  ///< null if no gradient is required
};

/// A parameter and its name in the state dict, e.g. "features.1.conv.0.0.weight".
struct NamedVariable {
  std::string name;
  Variable variable;
};

/// Whether ops record history on this thread.
bool grad_enabled();

/// While it lives, ops on this thread record nothing and keep no intermediate results.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace edgeprune
