#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/autograd/variable.h"
#include "engine/kernels/simd/optimizer.h"
#include "engine/tensor/archive.h"

namespace edgeprune::optim {

/// Updates parameters from their gradients. A parameter may have a mask (0 or 1 per value): masked
/// values are exactly zero after every step, whatever the gradient and the momentum say.
///
/// That is not taken on trust. Each step counts the masked values that are not zero, by a kernel of
/// its own and a copy of the mask made by set_mask(): before the update, which would wipe out what
/// was written to the parameter since the last step (and went into its gradients), and behind it,
/// for what the update itself left: a mask lost or overwritten. Both go block by block, while the
/// update has the block in the nearest cache, and cost next to nothing there.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Throws std::invalid_argument if there is no parameter of that name or the shapes differ.
  /// Zeroes the masked values at once.
  void set_mask(const std::string& name, Tensor mask);

  /// One update of every parameter that has a gradient. Throws std::runtime_error naming parameter,
  /// count and step if masked values are not zero.
  void step(float learning_rate);
  void zero_grad();

  /// Moments and step count, for resuming: names "<slot>/<parameter>" and "step".
  std::map<std::string, Array> state() const;
  /// Throws std::invalid_argument on arrays that state() of this optimiser would not give.
  void load_state(const std::map<std::string, Array>& arrays);

 protected:
  struct Slot {
    std::string name;
    Variable parameter;
    Tensor mask;                  ///< undefined: nothing is masked
    std::vector<uint8_t> pruned;  ///< the audit's copy of the mask: 255 where that is zero
    std::vector<Tensor> moments;  ///< one for each of moment_names_
    const float* mask_from(int64_t begin) const {
      return mask.defined() ? mask.data() + begin : nullptr;
    }
  };

  Optimizer(const std::vector<NamedVariable>& parameters, std::vector<std::string> moment_names);

  /// A step begins, the steps()th.
  virtual void begin_step(float /*learning_rate*/) {}
  /// The update of values [begin, end) of a slot; `grad` is that of the first of all. Threads call
  /// it side by side, for blocks of their own.
  virtual void update(Slot& slot, const float* grad, int64_t begin, int64_t end) = 0;
  int64_t steps() const { return steps_; }

 private:
  void require_zeros(const Slot& slot, int64_t nonzeros, const char* when) const;

  std::vector<Slot> slots_;
  int64_t steps_ = 0;
  std::vector<std::string> moment_names_;
};

/// Adam (Kingma & Ba 2015) with PyTorch's defaults; weight decay is L2, added to the gradient.
class Adam : public Optimizer {
 public:
  explicit Adam(const std::vector<NamedVariable>& parameters, float weight_decay = 0);

 private:
  void begin_step(float learning_rate) override;
  void update(Slot& slot, const float* grad, int64_t begin, int64_t end) override;

  simd::AdamStep step_;
};

/// Stochastic gradient descent with momentum, PyTorch's formulation.
class Sgd : public Optimizer {
 public:
  explicit Sgd(const std::vector<NamedVariable>& parameters, float momentum = 0.9f,
               float weight_decay = 0);

 private:
  void begin_step(float learning_rate) override;
  void update(Slot& slot, const float* grad, int64_t begin, int64_t end) override;

  simd::SgdStep step_;
};

enum class OptimizerKind { adam, sgd };
inline constexpr Named<OptimizerKind> kOptimizers[] = {{OptimizerKind::adam, "adam"},
                                                       {OptimizerKind::sgd, "sgd", "momentum 0.9"}};
static_assert(in_order(kOptimizers));

/// By its name in the table; throws std::invalid_argument listing the choices.
std::unique_ptr<Optimizer> make_optimizer(const std::string& name,
                                          const std::vector<NamedVariable>& parameters,
                                          float weight_decay);

}  // namespace edgeprune::optim
