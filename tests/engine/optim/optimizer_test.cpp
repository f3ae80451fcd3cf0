#include "engine/optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/support/tensors.h"

namespace edgeprune::optim {
namespace {

using testing::random_tensor;

/// Adds `grad` to a leaf's gradient.
void give_grad(const Variable& leaf, const Tensor& grad) {
  Variable(leaf).backward(grad);
}

Tensor gradient_of_step(const Shape& shape, int step) {
  return random_tensor(shape, 100 + static_cast<uint64_t>(step));
}

struct Parameters {
  Variable weight{random_tensor({3, 7}, 1), true}, bias{random_tensor({5}, 2), true};
  std::vector<NamedVariable> list{{"weight", weight}, {"bias", bias}};
};

void train(Optimizer& optimizer, const Parameters& parameters, int first, int last) {
  for (int step = first; step < last; ++step) {
    optimizer.zero_grad();
    give_grad(parameters.weight, gradient_of_step({3, 7}, step));
    give_grad(parameters.bias, gradient_of_step({5}, step));
    optimizer.step(0.01f);
  }
}

TEST(Adam, FollowsTheFormulaOverSeveralSteps) {
  for (const double decay : {0.0, 0.1}) {
    Parameters parameters;
    Adam adam(parameters.list, static_cast<float>(decay));
    const Tensor start = parameters.weight.value().clone();
    train(adam, parameters, 0, 6);
    for (int64_t i = 0; i < start.count(); ++i) {
      double p = start.data()[i], m = 0, v = 0;
      for (int step = 0; step < 6; ++step) {
        const double g = gradient_of_step({3, 7}, step).data()[i] + decay * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        const double m_hat = m / (1 - std::pow(0.9, step + 1));
        const double v_hat = v / (1 - std::pow(0.999, step + 1));
        p -= 0.01 * m_hat / (std::sqrt(v_hat) + 1e-8);
      }
      EXPECT_NEAR(parameters.weight.value().data()[i], p, 2e-6);
    }
  }
}

TEST(Sgd, FollowsTheFormulaOverSeveralSteps) {
  Parameters parameters;
  Sgd sgd(parameters.list, 0.8f, 0.05f);
  const Tensor start = parameters.weight.value().clone();
  train(sgd, parameters, 0, 6);
  for (int64_t i = 0; i < start.count(); ++i) {
    double p = start.data()[i], velocity = 0;
    for (int step = 0; step < 6; ++step) {
      velocity = 0.8 * velocity + gradient_of_step({3, 7}, step).data()[i] + 0.05 * p;
      p -= 0.01 * velocity;
    }
    EXPECT_NEAR(parameters.weight.value().data()[i], p, 1e-6);
  }
}

/// What both optimisers promise.
class AnyOptimizer : public ::testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<Optimizer> make(const Parameters& parameters) {
    return make_optimizer(GetParam(), parameters.list, 0.01f);
  }
};

TEST_P(AnyOptimizer, MasksKeepExactZerosAgainstTheMomentum) {
  Parameters parameters;
  const auto optimizer = make(parameters);
  train(*optimizer, parameters, 0, 3);  // the moments of what is about to be masked are not zero
  Tensor mask({3, 7}, 1.0f);
  for (const int64_t i : {0, 5, 20}) mask.data()[i] = 0.0f;
  optimizer->set_mask("weight", mask);
  const auto zeros = [&] {
    std::vector<int64_t> where;
    for (int64_t i = 0; i < 21; ++i) {
      if (parameters.weight.value().data()[i] == 0.0f) where.push_back(i);
    }
    return where;
  };
  EXPECT_EQ(zeros(), (std::vector<int64_t>{0, 5, 20})) << "at once";
  for (int step = 3; step < 6; ++step) {
    train(*optimizer, parameters, step, step + 1);
    EXPECT_EQ(zeros(), (std::vector<int64_t>{0, 5, 20})) << "after step " << step;
  }
}

TEST_P(AnyOptimizer, UnmaskedValuesMoveAsWithoutMask) {
  Parameters masked, free;
  const auto one = make(masked), other = make(free);
  Tensor mask({3, 7}, 1.0f);
  mask.data()[0] = 0.0f;
  one->set_mask("weight", mask);
  train(*one, masked, 0, 4);
  train(*other, free, 0, 4);
  for (int64_t i = 1; i < 21; ++i) {
    EXPECT_EQ(masked.weight.value().data()[i], free.weight.value().data()[i]);
  }
}

TEST_P(AnyOptimizer, MasksMustFit) {
  Parameters parameters;
  const auto optimizer = make(parameters);
  EXPECT_THROW(optimizer->set_mask("weigth", Tensor({3, 7}, 1.0f)), std::invalid_argument);
  const Tensor before = parameters.weight.value().clone();
  EXPECT_THROW(optimizer->set_mask("weight", Tensor({7, 3}, 0.0f)), std::invalid_argument);
  EXPECT_TRUE(testing::identical(parameters.weight.value(), before));
}

TEST_P(AnyOptimizer, ParametersWithoutGradientStay) {
  Parameters parameters;
  const auto optimizer = make(parameters);
  const Tensor weight = parameters.weight.value().clone(), bias = parameters.bias.value().clone();
  give_grad(parameters.bias, Tensor({5}, 1.0f));
  optimizer->step(0.1f);
  EXPECT_TRUE(testing::identical(parameters.weight.value(), weight));
  EXPECT_FALSE(testing::identical(parameters.bias.value(), bias));
}

TEST_P(AnyOptimizer, ZeroGradForgetsAllGradients) {
  Parameters parameters;
  const auto optimizer = make(parameters);
  give_grad(parameters.bias, Tensor({5}, 1.0f));
  optimizer->zero_grad();
  EXPECT_FALSE(parameters.bias.grad().defined());
}

TEST_P(AnyOptimizer, ContinuesIdenticallyFromASavedState) {
  Parameters undisturbed, resumed;
  const auto whole = make(undisturbed), first = make(resumed);
  train(*whole, undisturbed, 0, 8);
  train(*first, resumed, 0, 4);
  const auto state = first->state();
  const auto second = make(resumed);
  second->load_state(state);
  train(*second, resumed, 4, 8);
  EXPECT_TRUE(testing::identical(resumed.weight.value(), undisturbed.weight.value()));
  EXPECT_TRUE(testing::identical(resumed.bias.value(), undisturbed.bias.value()));
}

TEST_P(AnyOptimizer, SavedStateIsACopy) {
  Parameters parameters;
  const auto optimizer = make(parameters);
  train(*optimizer, parameters, 0, 1);
  const auto state = optimizer->state();
  train(*optimizer, parameters, 1, 2);
  EXPECT_EQ(state.at("step").to_int64("step"), 1);
  EXPECT_EQ(optimizer->state().at("step").to_int64("step"), 2);
  for (const auto& [name, array] : optimizer->state()) EXPECT_NE(array.bytes, state.at(name).bytes);
}

TEST_P(AnyOptimizer, ForeignStateIsRefused) {
  Parameters parameters;
  const auto optimizer = make(parameters);
  const auto good = optimizer->state();
  const auto refused = [&](const std::function<void(std::map<std::string, Array>&)>& spoil) {
    auto arrays = good;
    spoil(arrays);
    EXPECT_THROW(optimizer->load_state(arrays), std::invalid_argument);
  };
  const std::string moment = good.begin()->first;
  refused([](auto& arrays) { arrays.clear(); });
  refused([](auto& arrays) { arrays.erase("step"); });
  refused([&](auto& arrays) { arrays.erase(moment); });
  refused([](auto& arrays) { arrays["other"] = Array::from(Tensor({1}, 0.0f)); });
  refused([&](auto& arrays) { arrays[moment] = Array::from(Tensor({2, 2}, 0.0f)); });
  refused([](auto& arrays) { arrays["step"] = Array::from(Tensor({1}, 0.0f)); });
  refused([](auto& arrays) { arrays["step"] = Array::from(int64_t{-1}); });
  refused([](auto& arrays) { arrays["step"] = Array::from(std::numeric_limits<int64_t>::max()); });
  refused([&](auto& arrays) {
    auto node = arrays.extract(moment);
    node.key() = "other/weight";
    arrays.insert(std::move(node));
  });
}

INSTANTIATE_TEST_SUITE_P(, AnyOptimizer, ::testing::ValuesIn(names_of(kOptimizers)),
                         [](const auto& test) { return test.param; });

TEST(MakeOptimizer, AnUnknownNameIsRefusedWithTheChoices) {
  try {
    make_optimizer("rmsprop", {}, 0);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    for (const char* part : {"adam", "sgd", "'rmsprop'"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

TEST(MakeOptimizer, AStateOfTheOtherKindIsRefused) {
  Parameters parameters;
  EXPECT_THROW(Sgd(parameters.list).load_state(Adam(parameters.list).state()),
               std::invalid_argument);
  EXPECT_THROW(Adam(parameters.list).load_state(Sgd(parameters.list).state()),
               std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune::optim
