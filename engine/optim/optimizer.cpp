#include "engine/optim/optimizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/base/check.h"
#include "engine/base/parallel.h"

namespace edgeprune::optim {
namespace {

constexpr int64_t kGrain = 1 << 14;  ///< values for which a thread pays
constexpr int64_t kBlock = 1 << 12;  ///< values whose state, 16 bytes each and more, stays in L2

}  // namespace

Optimizer::Optimizer(const std::vector<NamedVariable>& parameters,
                     std::vector<std::string> moment_names)
    : moment_names_(std::move(moment_names)) {
  for (const auto& [name, parameter] : parameters) {
    Slot slot{name, parameter, {}, {}, {}};
    for (size_t i = 0; i < moment_names_.size(); ++i) {
      slot.moments.emplace_back(parameter.shape(), 0.0f);
    }
    slots_.push_back(std::move(slot));
  }
}

void Optimizer::set_mask(const std::string& name, Tensor mask) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Slot& candidate) { return candidate.name == name; });
  require(slot != slots_.end(), "set_mask", "there is no parameter '{}'", name);
  Tensor& value = slot->parameter.value();
  require(mask.shape() == value.shape(), "set_mask", "mask {} for parameter '{}' {}",
          mask.shape().to_string(), name, value.shape().to_string());
  slot->pruned.assign(static_cast<size_t>(value.count()), 0);
  for (int64_t i = 0; i < value.count(); ++i) {
    if (mask.data()[i] != 0.0f) continue;
    value.data()[i] = 0.0f;
    slot->pruned[static_cast<size_t>(i)] = 255;
  }
  slot->mask = std::move(mask);
}

void Optimizer::step(float learning_rate) {
  ++steps_;
  begin_step(learning_rate);
  for (Slot& slot : slots_) {
    const Tensor& grad = slot.parameter.grad();
    const bool masked = !slot.pruned.empty();
    if (!grad.defined() && !masked) continue;
    const float* parameter = slot.parameter.value().data();
    const auto nonzeros = [&](int64_t begin, int64_t end) -> int64_t {
      if (!masked) return 0;
      return simd::count_pruned_nonzeros(parameter + begin, slot.pruned.data() + begin,
                                         end - begin);
    };
    std::atomic<int64_t> before = 0, after = 0;
    parallel_for(slot.parameter.value().count(), kGrain, [&](int64_t first, int64_t last, int) {
      for (int64_t begin = first; begin < last; begin += kBlock) {
        const int64_t end = std::min(begin + kBlock, last);
        if (const int64_t count = nonzeros(begin, end)) before += count;
        if (grad.defined()) update(slot, grad.data(), begin, end);
        if (const int64_t count = nonzeros(begin, end)) after += count;
      }
    });
    require_zeros(slot, before, "before");
    require_zeros(slot, after, "after");
  }
}

void Optimizer::require_zeros(const Slot& slot, int64_t nonzeros, const char* when) const {
  if (nonzeros == 0) return;
  throw std::runtime_error(
      fmt::format("[mask audit] {}: {} of the {} masked values {} not zero {} step {}", slot.name,
                  nonzeros, std::count(slot.pruned.begin(), slot.pruned.end(), 255),
                  nonzeros == 1 ? "is" : "are", when, steps_));
}

void Optimizer::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.clear_grad();
}

std::map<std::string, Array> Optimizer::state() const {
  std::map<std::string, Array> arrays{{"step", Array::from(steps_)}};
  for (const Slot& slot : slots_) {
    for (size_t i = 0; i < slot.moments.size(); ++i) {
      arrays.emplace(moment_names_[i] + "/" + slot.name, Array::from(slot.moments[i]));
    }
  }
  return arrays;
}

void Optimizer::load_state(const std::map<std::string, Array>& arrays) {
  const size_t expected = 1 + slots_.size() * moment_names_.size();
  require(arrays.size() == expected && arrays.contains("step"), "load_state",
          "expected {} arrays of this optimiser's, got {}", expected, arrays.size());
  for (Slot& slot : slots_) {
    for (size_t i = 0; i < slot.moments.size(); ++i) {
      const std::string name = moment_names_[i] + "/" + slot.name;
      const auto found = arrays.find(name);
      require(found != arrays.end(), "load_state", "missing '{}'", name);
      slot.moments[i].copy_from(found->second.to_tensor(name));
    }
  }
  const int64_t steps = arrays.at("step").to_int64("step");
  require(steps >= 0 && steps < std::numeric_limits<int64_t>::max(), "load_state",
          "{} steps so far", steps);
  steps_ = steps;
}

Adam::Adam(const std::vector<NamedVariable>& parameters, float weight_decay)
    : Optimizer(parameters, {"first_moment", "second_moment"}),
      step_{.weight_decay = weight_decay} {}

void Adam::begin_step(float learning_rate) {
  step_.learning_rate = learning_rate;
  step_.bias_correction1 = static_cast<float>(1.0 - std::pow(double(step_.beta1), double(steps())));
  step_.bias_correction2 = static_cast<float>(1.0 - std::pow(double(step_.beta2), double(steps())));
}

void Adam::update(Slot& slot, const float* grad, int64_t begin, int64_t end) {
  simd::adam_update(step_, grad + begin, slot.mask_from(begin), end - begin,
                    slot.parameter.value().data() + begin, slot.moments[0].data() + begin,
                    slot.moments[1].data() + begin);
}

Sgd::Sgd(const std::vector<NamedVariable>& parameters, float momentum, float weight_decay)
    : Optimizer(parameters, {"velocity"}),
      step_{.momentum = momentum, .weight_decay = weight_decay} {}

void Sgd::begin_step(float learning_rate) {
  step_.learning_rate = learning_rate;
}

void Sgd::update(Slot& slot, const float* grad, int64_t begin, int64_t end) {
  simd::sgd_update(step_, grad + begin, slot.mask_from(begin), end - begin,
                   slot.parameter.value().data() + begin, slot.moments[0].data() + begin);
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name,
                                          const std::vector<NamedVariable>& parameters,
                                          float weight_decay) {
  switch (value_of("optimizer", kOptimizers, name)) {
    case OptimizerKind::adam:
      return std::make_unique<Adam>(parameters, weight_decay);
    case OptimizerKind::sgd:
      return std::make_unique<Sgd>(parameters, 0.9f, weight_decay);
  }
  return nullptr;
}

}  // namespace edgeprune::optim
