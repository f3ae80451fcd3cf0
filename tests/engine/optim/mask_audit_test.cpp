// Masks that break, on purpose.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/optim/optimizer.h"
#include "tests/support/tensors.h"

namespace edgeprune::optim {
namespace {

using ::testing::HasSubstr;
using testing::random_tensor;

/// A parameter of 1000 values, every other one masked.
struct Masked {
  Masked() : weight(random_tensor({10, 100}, 1), true), mask({10, 100}, 1.0f) {
    for (int64_t i = 0; i < mask.count(); i += 2) mask.data()[i] = 0.0f;
  }

  void give_grad() {
    weight.clear_grad();
    Variable(weight).backward(random_tensor({10, 100}, 2));
  }

  Variable weight, free{random_tensor({5}, 3), true};
  std::vector<NamedVariable> list{{"layer.weight", weight}, {"free", free}};
  Tensor mask;
};

/// What a step says: "passed" if nothing.
std::string step(Optimizer& optimizer) {
  try {
    optimizer.step(0.01f);
    return "passed";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

class MaskAudit : public ::testing::TestWithParam<std::string> {
 protected:
  MaskAudit() : optimizer(make_optimizer(GetParam(), parameters.list, 0.01f)) {
    optimizer->set_mask("layer.weight", parameters.mask);
    parameters.give_grad();
    EXPECT_EQ(step(*optimizer), "passed");
    EXPECT_EQ(step(*optimizer), "passed");
  }

  Masked parameters;
  std::unique_ptr<Optimizer> optimizer;
};

TEST_P(MaskAudit, AWriteBetweenStepsIsFoundThoughTheStepWouldWipeItOut) {
  parameters.weight.value().data()[998] = 1e-30f;
  EXPECT_EQ(step(*optimizer),
            "[mask audit] layer.weight: 1 of the 500 masked values is not zero before step 3");
}

TEST_P(MaskAudit, NotANumberIsNotZero) {
  parameters.weight.value().data()[0] = NAN;
  EXPECT_THAT(step(*optimizer), HasSubstr("1 of the 500 masked values is not zero"));
}

TEST_P(MaskAudit, AnOverwrittenMaskIsFound) {
  parameters.mask.fill(1.0f);  // the tensor that the optimiser was given
  EXPECT_EQ(step(*optimizer),
            "[mask audit] layer.weight: 500 of the 500 masked values are not zero after step 3");
}

TEST_P(MaskAudit, ParametersWithoutGradientAreAuditedToo) {
  parameters.weight.clear_grad();
  EXPECT_EQ(step(*optimizer), "passed");
  parameters.weight.value().data()[2] = 1;
  EXPECT_THAT(step(*optimizer), HasSubstr("1 of the 500"));
}

TEST_P(MaskAudit, WhatIsNotMaskedMayBeAnything) {
  parameters.weight.value().data()[1] = 7;
  parameters.free.value().fill(7);
  EXPECT_EQ(step(*optimizer), "passed");
}

TEST_P(MaskAudit, ANewMaskTakesTheOldOnesPlace) {
  optimizer->set_mask("layer.weight", Tensor({10, 100}, 1.0f));
  EXPECT_EQ(step(*optimizer), "passed") << "nothing is masked any more";
  EXPECT_NE(parameters.weight.value().data()[0], 0.0f);
}

TEST_P(MaskAudit, LargeParametersAreAuditedToTheirEnds) {
  for (const int64_t count : {int64_t{4096}, int64_t{4097}, int64_t{100'003}}) {
    const Variable large(Tensor({count}, 0.5f), true);
    const auto on_large = make_optimizer(GetParam(), {{"large", large}}, 0);
    on_large->set_mask("large", Tensor({count}, 0.0f));
    for (const int64_t i : {int64_t{0}, int64_t{4095}, count - 1}) {
      EXPECT_EQ(step(*on_large), "passed");
      Variable(large).value().data()[i] = 1;
      EXPECT_THAT(step(*on_large), HasSubstr("large: 1 of the")) << i << " of " << count;
      Variable(large).value().data()[i] = 0;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, MaskAudit, ::testing::ValuesIn(names_of(kOptimizers)),
                         [](const auto& test) { return test.param; });

/// Forgets the mask in one value of many, as a kernel may that is wrong at its end.
class Forgetful : public Optimizer {
 public:
  explicit Forgetful(const std::vector<NamedVariable>& parameters) : Optimizer(parameters, {}) {}

 private:
  void update(Slot& slot, const float*, int64_t, int64_t) override {
    if (slot.name == "layer.weight") slot.parameter.value().data()[996] = 1;
  }
};

TEST(MaskAuditOfAKernel, AForgottenMaskIsFound) {
  Masked parameters;
  Forgetful optimizer(parameters.list);
  optimizer.set_mask("layer.weight", parameters.mask);
  parameters.give_grad();
  EXPECT_EQ(step(optimizer),
            "[mask audit] layer.weight: 1 of the 500 masked values is not zero after step 1");
}

}  // namespace
}  // namespace edgeprune::optim
