#include "engine/kernels/simd/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::random_tensor;

constexpr int64_t kParameterCounts[] = {1, 3, 15, 16, 17, 100, 40000};

Tensor random_mask(int64_t count) {
  Tensor mask({count});
  Rng rng(9);
  for (float& value : mask.values()) value = rng.uniform() < 0.5 ? 0.0f : 1.0f;
  return mask;
}

class SimdOptimizer : public testing::OnEveryTarget {};

TEST_P(SimdOptimizer, AdamFollowsTheFormula) {
  const simd::AdamStep step{.learning_rate = 1e-2f,
                            .weight_decay = 0.1f,
                            .bias_correction1 = 0.19f,
                            .bias_correction2 = 0.002f};
  for (const int64_t count : kParameterCounts) {
    for (const bool masked : {false, true}) {
      const Tensor g = random_tensor({count}, 1), p = random_tensor({count}, 2),
                   m = random_tensor({count}, 3), v = random_tensor({count}, 4, 0, 1),
                   mask = random_mask(count);
      Tensor parameter = p.clone(), first = m.clone(), second = v.clone();
      simd::adam_update(step, g.data(), masked ? mask.data() : nullptr, count, parameter.data(),
                        first.data(), second.data());
      for (int64_t i = 0; i < count; ++i) {
        const double grad = g.data()[i] + double(step.weight_decay) * p.data()[i];
        const double mi = step.beta1 * double(m.data()[i]) + (1.0 - step.beta1) * grad;
        const double vi = step.beta2 * double(v.data()[i]) + (1.0 - step.beta2) * grad * grad;
        const double denominator =
            std::sqrt(vi) / std::sqrt(double(step.bias_correction2)) + step.eps;
        const double pi =
            p.data()[i] - step.learning_rate / step.bias_correction1 * mi / denominator;
        ASSERT_NEAR(first.data()[i], mi, 1e-6);
        ASSERT_NEAR(second.data()[i], vi, 1e-6);
        if (masked && mask.data()[i] == 0.0f) {
          ASSERT_EQ(parameter.data()[i], 0.0f);
        } else {
          ASSERT_NEAR(parameter.data()[i], pi, 1e-6);
        }
      }
    }
  }
}

TEST_P(SimdOptimizer, SgdFollowsTheFormula) {
  const simd::SgdStep step{.learning_rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f};
  for (const int64_t count : kParameterCounts) {
    for (const bool masked : {false, true}) {
      const Tensor g = random_tensor({count}, 1), p = random_tensor({count}, 2),
                   v = random_tensor({count}, 3), mask = random_mask(count);
      Tensor parameter = p.clone(), velocity = v.clone();
      simd::sgd_update(step, g.data(), masked ? mask.data() : nullptr, count, parameter.data(),
                       velocity.data());
      for (int64_t i = 0; i < count; ++i) {
        const double vi = step.momentum * double(v.data()[i]) + g.data()[i] +
                          double(step.weight_decay) * p.data()[i];
        ASSERT_NEAR(velocity.data()[i], vi, 1e-6);
        if (masked && mask.data()[i] == 0.0f) {
          ASSERT_EQ(parameter.data()[i], 0.0f);
        } else {
          ASSERT_NEAR(parameter.data()[i], p.data()[i] - step.learning_rate * vi, 1e-6);
        }
      }
    }
  }
}

TEST_P(SimdOptimizer, AMaskedParameterIsZeroWhateverTheGradient) {
  // What diverged must not come back through the mask.
  std::vector<float> g{INFINITY, NAN, -1e30f}, mask(3, 0.0f), p{1, 2, 3}, m(3), v(3);
  simd::adam_update({}, g.data(), mask.data(), 3, p.data(), m.data(), v.data());
  EXPECT_EQ(p, (std::vector<float>{0, 0, 0}));
}

TEST_P(SimdOptimizer, NonzerosAreCountedWhereTheyArePruned) {
  for (const int64_t count : kParameterCounts) {
    const Tensor mask = random_mask(count);
    std::vector<uint8_t> pruned;
    for (const float value : mask.values()) pruned.push_back(value == 0.0f ? 255 : 0);
    Tensor parameter = random_tensor({count}, 2);  // no value is zero
    EXPECT_EQ(simd::count_pruned_nonzeros(parameter.data(), pruned.data(), count),
              std::count(pruned.begin(), pruned.end(), 255));
    for (int64_t i = 0; i < count; ++i) {
      if (pruned[size_t(i)] != 0) parameter.data()[i] = i % 2 == 0 ? 0.0f : -0.0f;
    }
    EXPECT_EQ(simd::count_pruned_nonzeros(parameter.data(), pruned.data(), count), 0);
    for (const int64_t i : {int64_t{0}, count / 2, count - 1}) {
      for (const float value : {1e-38f, -1.0f, INFINITY, NAN}) {
        parameter.data()[i] = value;
        pruned[size_t(i)] = 255;
        EXPECT_EQ(simd::count_pruned_nonzeros(parameter.data(), pruned.data(), count), 1)
            << value << " at " << i << " of " << count;
      }
      parameter.data()[i] = 0;
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdOptimizer);

}  // namespace
}  // namespace edgeprune
