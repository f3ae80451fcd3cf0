#include "engine/optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/base/profiler.h"
#include "engine/kernels/simd/optimizer.h"

namespace edgeprune::optim {

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
  for (Slot& slot : slots_) {
    audit(slot, "before");
    if (const Tensor& grad = slot.parameter.grad(); grad.defined()) {
      update(slot, grad, learning_rate);
    }
    audit(slot, "after");
  }
}

void Optimizer::audit(const Slot& slot, const char* when) const {
  if (slot.pruned.empty()) return;
  const int64_t count = slot.parameter.value().count();
  const Timed timed("mask audit", Phase::backward, {0, double(count) * (sizeof(float) + 1)});
  const int64_t nonzeros =
      simd::count_pruned_nonzeros(slot.parameter.value().data(), slot.pruned.data(), count);
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
  steps_ = arrays.at("step").to_int64("step");
}

Adam::Adam(const std::vector<NamedVariable>& parameters, float weight_decay)
    : Optimizer(parameters, {"first_moment", "second_moment"}), weight_decay_(weight_decay) {}

void Adam::update(Slot& slot, const Tensor& grad, float learning_rate) {
  simd::AdamStep step{.learning_rate = learning_rate, .weight_decay = weight_decay_};
  step.bias_correction1 = static_cast<float>(1.0 - std::pow(double(step.beta1), double(steps())));
  step.bias_correction2 = static_cast<float>(1.0 - std::pow(double(step.beta2), double(steps())));
  simd::adam_update(step, grad.data(), slot.mask_data(), grad.count(),
                    slot.parameter.value().data(), slot.moments[0].data(), slot.moments[1].data());
}

Sgd::Sgd(const std::vector<NamedVariable>& parameters, float momentum, float weight_decay)
    : Optimizer(parameters, {"velocity"}), momentum_(momentum), weight_decay_(weight_decay) {}

void Sgd::update(Slot& slot, const Tensor& grad, float learning_rate) {
  simd::sgd_update({learning_rate, momentum_, weight_decay_}, grad.data(), slot.mask_data(),
                   grad.count(), slot.parameter.value().data(), slot.moments[0].data());
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name,
                                          const std::vector<NamedVariable>& parameters,
                                          float weight_decay) {
  if (name == "adam") return std::make_unique<Adam>(parameters, weight_decay);
  if (name == "sgd") return std::make_unique<Sgd>(parameters, 0.9f, weight_decay);
  throw std::invalid_argument(fmt::format("[optimizer] expected adam or sgd, got '{}'", name));
}

}  // namespace edgeprune::optim
