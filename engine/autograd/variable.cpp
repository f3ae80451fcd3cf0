#include "engine/autograd/variable.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "engine/base/check.h"
#include "engine/base/profiler.h"
#include "engine/kernels/simd/elementwise.h"

namespace edgeprune {
namespace {
thread_local bool grad_is_enabled = true;
}

struct Variable::Node {
  Shape shape;
  LazyGradient grad;
  std::vector<std::shared_ptr<Node>> inputs;  // null where no gradient is required
  BackwardFunction backward;                  // empty in a leaf

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  /// Without recursion, which a long history that backward() never walked would take too deep.
  ~Node() {
    std::vector<std::shared_ptr<Node>> doomed = std::move(inputs);
    while (!doomed.empty()) {
      const std::shared_ptr<Node> node = std::move(doomed.back());
      doomed.pop_back();
      if (node.use_count() != 1) continue;
      std::move(node->inputs.begin(), node->inputs.end(), std::back_inserter(doomed));
      node->inputs.clear();
    }
  }

  void add_grad(LazyGradient added) {
    require(added.shape() == shape, "backward", "gradient {} for a value of shape {}",
            added.shape(), shape);
    if (!grad.defined()) {
      grad = std::move(added);
      return;
    }
    const Tensor &before = grad.get(), &more = added.get();
    const Timed timed("add", Phase::backward, {0, 3.0 * sizeof(float) * double(shape.count())});
    // Never write to a buffer somebody else holds; a recipe's result is shared with its other
    // holders.
    Tensor sum = grad.recipe() == nullptr && before.unique() ? before : Tensor(shape);
    simd::add(before.data(), more.data(), shape.count(), sum.data());
    grad = std::move(sum);
  }

  /// Runs and forgets the backward function; leaves keep their gradient.
  void walk() {
    if (!backward) return;
    struct Inputs : InputGrads {
      std::vector<std::shared_ptr<Node>> nodes;
      bool wanted(size_t i) const override { return nodes[i] != nullptr; }
      void add(size_t i, LazyGradient added) override {
        if (nodes[i]) nodes[i]->add_grad(std::move(added));
      }
    } grads;
    grads.nodes = std::move(inputs);
    if (grad.defined()) backward(grad, grads);
    backward = nullptr;
    grad = LazyGradient();
    inputs.clear();
  }
};

Variable::Variable(LazyValue value, bool requires_grad) : value_(std::move(value)) {
  if (requires_grad) {
    node_ = std::make_shared<Node>();
    node_->shape = value_.shape();
  }
}

Variable Variable::result(LazyValue value, const std::vector<Variable>& inputs,
                          BackwardFunction backward) {
  const bool needed =
      grad_enabled() && std::any_of(inputs.begin(), inputs.end(),
                                    [](const Variable& input) { return input.requires_grad(); });
  Variable variable(std::move(value), needed);
  if (needed) {
    for (const Variable& input : inputs) variable.node_->inputs.push_back(input.node_);
    variable.node_->backward = std::move(backward);
  }
  return variable;
}

const Tensor& Variable::grad() const {
  static const Tensor none;
  return node_ ? node_->grad.get() : none;
}

void Variable::clear_grad() {
  if (node_) node_->grad = LazyGradient();
}

void Variable::backward(Tensor grad_output) {
  require(requires_grad(), "backward", "nothing here requires a gradient");
  require(grad_output.defined() || shape().count() == 1, "backward",
          "a value of shape {} needs a grad_output; only a scalar has an implied one", shape());
  node_->add_grad(grad_output.defined() ? std::move(grad_output) : Tensor(shape(), 1.0f));

  // Depth first, without recursion: a node is listed after everything it was computed from.
  std::vector<std::shared_ptr<Node>> order;
  std::unordered_set<Node*> seen{node_.get()};
  std::vector<std::pair<std::shared_ptr<Node>, size_t>> stack{{node_, 0}};
  while (!stack.empty()) {
    auto& [node, next] = stack.back();
    if (next == node->inputs.size()) {
      order.push_back(std::move(node));
      stack.pop_back();
      continue;
    }
    const std::shared_ptr<Node> input = node->inputs[next++];
    if (input && seen.insert(input.get()).second) stack.emplace_back(input, 0);
  }

  while (!order.empty()) {
    order.back()->walk();
    order.pop_back();
  }
}

bool grad_enabled() {
  return grad_is_enabled;
}
NoGrad::NoGrad() : before_(grad_is_enabled) {
  grad_is_enabled = false;
}
NoGrad::~NoGrad() {
  grad_is_enabled = before_;
}

}  // namespace edgeprune
