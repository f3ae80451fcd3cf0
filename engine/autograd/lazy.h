#pragma once
// Batch norm is bound by memory. Its result and its input's gradient are therefore handed on as
// recipes: a consumer that knows (a convolution, a residual add) applies them to what it reads
// (engine/kernels/normalized.h); any other gets the tensor, computed when first asked for.

#include <memory>

#include "engine/kernels/normalized.h"
#include "engine/tensor/tensor.h"

namespace edgeprune {

/// A tensor, or the recipe for one. Copies share what was computed.
template <typename Recipe>
class Lazy {
 public:
  Lazy() = default;
  Lazy(Tensor value) : value_(std::move(value)) {}  // NOLINT: a tensor is its own recipe
  explicit Lazy(Recipe recipe)
      : pending_(std::make_shared<Pending>(Pending{std::move(recipe), Tensor()})) {}

  bool defined() const { return pending_ != nullptr || value_.defined(); }
  const Shape& shape() const { return pending_ ? pending_->recipe.shape() : value_.shape(); }

  Tensor& get() {
    if (!pending_) return value_;
    if (!pending_->value.defined()) pending_->value = pending_->recipe.compute();
    return pending_->value;
  }
  const Tensor& get() const { return const_cast<Lazy*>(this)->get(); }
  operator const Tensor&() const { return get(); }  // NOLINT: for consumers that want a tensor

  /// Null if this is a tensor.
  const Recipe* recipe() const { return pending_ ? &pending_->recipe : nullptr; }
  /// As kernels read it.
  auto view() const { return pending_ ? pending_->recipe.view() : Recipe::view_of(value_); }

 private:
  struct Pending {
    Recipe recipe;
    Tensor value;
  };
  Tensor value_;
  std::shared_ptr<Pending> pending_;
};

/// A batch norm's output: activation(x * scale + shift), coefficients [C].
struct BatchNormOutput {
  Tensor x, mean, scale, shift;
  Activation activation;

  /// Left by a consumer that computed the gradient of this output, for the batch norm's backward:
  /// they hold as long as nothing was added to that gradient.
  struct Sums {
    Tensor grad;  ///< of which they were taken
    Tensor sum_grad, sum_grad_input;
  };
  std::shared_ptr<Sums> sums = std::make_shared<Sums>();

  const Shape& shape() const { return x.shape(); }
  Tensor compute() const;
  Normalized view() const { return {x.data(), scale.data(), shift.data(), activation}; }
  static Normalized view_of(const Tensor& tensor) { return {.data = tensor.data()}; }
};
using LazyValue = Lazy<BatchNormOutput>;

/// The gradient of a batch norm's input from that of its output, `grad`: a * g + b * x + c, with g
/// = grad where the activation passes it. Coefficients [C].
struct BatchNormGradient {
  Tensor grad;
  BatchNormOutput output;
  Tensor a, b, c;

  const Shape& shape() const { return grad.shape(); }
  Tensor compute() const;
  NormalizedGradient view() const {
    return {grad.data(), a.data(), b.data(), c.data(), output.view()};
  }
  static NormalizedGradient view_of(const Tensor& tensor) { return {.data = tensor.data()}; }
};
using LazyGradient = Lazy<BatchNormGradient>;

}  // namespace edgeprune
