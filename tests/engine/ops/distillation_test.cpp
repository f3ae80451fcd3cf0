#include "engine/ops/distillation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "engine/ops/cross_entropy.h"
#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::random_tensor;

const std::vector<int> kLabels{3, 0, 4, 4};

float loss_of(const Tensor& logits, const Tensor& teacher, float temperature, float alpha) {
  return ops::distillation(Variable(logits), teacher, kLabels, temperature, alpha)
      .value()
      .data()[0];
}

/// softmax(row / temperature), as it is written.
std::vector<double> softmax(const Tensor& logits, int64_t n, double temperature) {
  std::vector<double> values;
  double sum = 0;
  for (int64_t k = 0; k < logits.dim(1); ++k) {
    values.push_back(std::exp(logits.data()[n * logits.dim(1) + k] / temperature));
    sum += values.back();
  }
  for (double& value : values) value /= sum;
  return values;
}

TEST(Distillation, FollowsTheFormula) {
  const Tensor logits = random_tensor({4, 5}, 1, -3, 3), teacher = random_tensor({4, 5}, 2, -3, 3);
  for (const float temperature : {0.5f, 1.0f, 4.0f}) {
    for (const float alpha : {0.0f, 0.3f, 1.0f}) {
      double hard = 0, soft = 0;
      for (int64_t n = 0; n < 4; ++n) {
        hard -= std::log(softmax(logits, n, 1)[size_t(kLabels[size_t(n)])]) / 4;
        const auto p = softmax(logits, n, temperature), q = softmax(teacher, n, temperature);
        for (size_t k = 0; k < 5; ++k) soft += q[k] * std::log(q[k] / p[k]) / 4;
      }
      const double expected = (1 - alpha) * hard + alpha * temperature * temperature * soft;
      EXPECT_NEAR(loss_of(logits, teacher, temperature, alpha), expected, 1e-5)
          << "T " << temperature << ", alpha " << alpha;
    }
  }
}

TEST(Distillation, GradientsMatchFiniteDifferences) {
  const Tensor teacher = random_tensor({4, 5}, 2, -3, 3);
  for (const float temperature : {1.0f, 4.0f}) {
    for (const float alpha : {0.0f, 0.3f, 1.0f}) {
      EXPECT_TRUE(testing::gradients_match({.function =
                                                [&](const auto& in) {
                                                  return ops::distillation(in[0], teacher, kLabels,
                                                                           temperature, alpha);
                                                },
                                            .inputs = {random_tensor({4, 5}, 1, -2, 2)}}))
          << "T " << temperature << ", alpha " << alpha;
    }
  }
}

TEST(Distillation, WithoutAlphaIsTheCrossEntropy) {
  const Tensor logits = random_tensor({4, 5}, 1, -3, 3), teacher = random_tensor({4, 5}, 2, -3, 3);
  EXPECT_EQ(loss_of(logits, teacher, 4, 0),
            ops::cross_entropy(Variable(logits), kLabels).value().data()[0]);
}

TEST(Distillation, AStudentThatAgreesWithItsTeacherLosesNothing) {
  const Tensor logits = random_tensor({4, 5}, 1, -3, 3);
  const Variable student(logits, true);
  Variable loss = ops::distillation(student, logits.clone(), kLabels, 2, 1);
  EXPECT_NEAR(loss.value().data()[0], 0, 1e-7);
  loss.backward();
  for (const float g : student.grad().values()) EXPECT_NEAR(g, 0, 1e-8);
}

TEST(Distillation, LargeLogitsDoNotOverflow) {
  Tensor logits({4, 5}, 0.0f), teacher({4, 5}, 0.0f);
  for (int64_t n = 0; n < 4; ++n) logits.data()[5 * n] = teacher.data()[5 * n] = 1e4f;
  EXPECT_NEAR(loss_of(logits, teacher, 1, 1), 0, 1e-6);
  teacher = Tensor({4, 5}, -1e4f);  // even, against one that is sure: ln(1/5) + 4/5 * 1e4
  EXPECT_NEAR(loss_of(logits, teacher, 1, 1), 0.8e4 - std::log(5.0), 1e-2);
}

TEST(Distillation, NotANumberIsNotHidden) {
  const Tensor good = random_tensor({4, 5}, 1);
  Tensor bad = good.clone();
  bad.data()[7] = NAN;
  EXPECT_TRUE(std::isnan(loss_of(bad, good, 4, 0.5f)));
  EXPECT_TRUE(std::isnan(loss_of(good, bad, 4, 0.5f)));
}

TEST(Distillation, WhatDoesNotFitIsNamed) {
  const auto message = [](const Shape& teacher, float temperature, float alpha) -> std::string {
    try {
      loss_of(Tensor({4, 5}, 0.0f), Tensor(teacher, 0.0f), temperature, alpha);
      return "accepted";
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  };
  EXPECT_EQ(message({4, 5}, 4, 0.5f), "accepted");
  EXPECT_THAT(message({4, 6}, 4, 0.5f), HasSubstr("expected a teacher's logits [4,5], got [4,6]"));
  for (const float temperature : {0.0f, -1.0f, std::nanf(""), HUGE_VALF}) {
    EXPECT_THAT(message({4, 5}, temperature, 0.5f), HasSubstr("temperature above 0"));
  }
  for (const float alpha : {-0.1f, 1.1f, std::nanf("")}) {
    EXPECT_THAT(message({4, 5}, 4, alpha), HasSubstr("alpha in [0,1]"));
  }
}

}  // namespace
}  // namespace edgeprune
