// Every other network against PyTorch at 224x224 (tests/golden/make_networks.py): logits, the first
// training step's loss and gradients, the loss after a step of SGD.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/nn/network.h"
#include "engine/ops/cross_entropy.h"
#include "engine/tensor/safetensors.h"
#include "models/networks.h"
#include "tests/support/layouts.h"
#include "tests/support/paths.h"
#include "tests/support/sanitizers.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

constexpr int64_t kBatch = 4, kSize = 224;

/// make_networks.py has the same formula.
std::vector<double> uniform(const std::string& name, int64_t count, uint32_t salt) {
  uint32_t seed = 2166136261u;
  for (const char c : name) seed = (seed ^ static_cast<uint8_t>(c)) * 16777619u;
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t x = static_cast<uint32_t>(i) * 2654435761u + seed + salt * 97u;
    x = (x ^ x >> 16) * 2246822519u;
    x = (x ^ x >> 13) * 3266489917u;
    x ^= x >> 16;
    values.push_back(double(x >> 8) / (1 << 24));
  }
  return values;
}

void fill(const std::string& name, Tensor& tensor, uint32_t salt) {
  const Shape& shape = tensor.shape();
  const double fan_in = double(shape.count()) / double(shape[0]), bound = std::sqrt(6 / fan_in);
  const std::vector<double> u = uniform(name, shape.count(), salt);
  for (size_t i = 0; i < u.size(); ++i) {
    tensor.data()[i] = static_cast<float>(shape.rank() > 1         ? (2 * u[i] - 1) * bound
                                          : name.ends_with("bias") ? 0.5 * u[i] + 0.5
                                                                   : 0.2 * u[i] + 0.2);
  }
}

class NetworksGolden : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    static const Archive file =
        read_safetensors(testing::source_folder() + "/tests/golden/networks.safetensors");
    golden_ = &file;
    salt_ = static_cast<uint32_t>(expected("salt").data()[0]);
    model_ = std::make_unique<nn::Network>(
        build_network({.name = GetParam(), .input_size = kSize, .classes = 10}));
    model_->set_dropout_rate(0);
    for (auto& [name, parameter] : model_->parameters()) fill(name, parameter.value(), salt_);
    Tensor images({kBatch, 3, kSize, kSize});
    const std::vector<double> u = uniform("images", images.count(), salt_);
    for (size_t i = 0; i < u.size(); ++i) images.data()[i] = static_cast<float>(2 * u[i] - 1);
    images_ = Variable(testing::nchw_to_nhwc(images));
  }
  Tensor expected(const std::string& key) const {
    return golden_->at(GetParam() + "/" + key).to_tensor(key);
  }
  Variable loss() {
    const std::vector<int> labels{0, 1, 2, 3};
    return ops::cross_entropy(model_->forward(images_, no_dropout_), labels);
  }

  const Archive* golden_ = nullptr;
  uint32_t salt_ = 0;
  std::unique_ptr<nn::Network> model_;
  Variable images_;
  Rng no_dropout_{0};
};

TEST_P(NetworksGolden, LogitsMatch) {
  const NoGrad no_grad;
  for (const auto& norm : model_->norms()) norm->state.momentum = 1;
  model_->forward(images_, no_dropout_);
  model_->train(false);
  const Tensor logits = model_->forward(images_, no_dropout_).value(),
               exact = expected("eval.logits");
  double largest = 0;
  for (const float value : exact.values()) largest = std::max(largest, std::abs(double(value)));
  const double error = testing::max_abs_error(logits, exact) / largest;
  std::printf("%s: logits differ by %.1e of the largest\n", GetParam().c_str(), error);
  EXPECT_LE(error, 1e-4);
}

TEST_P(NetworksGolden, ATrainingStepMatches) {
  const Tensor losses = expected("losses");
  Variable first = loss();
  EXPECT_NEAR(first.value().data()[0], losses.data()[0], 1e-4 * losses.data()[0]);
  first.backward();
  double worst = 0;
  size_t parameters = 0;
  for (auto& [name, parameter] : model_->parameters()) {
    ++parameters;
    const double exact = expected("grad.norm." + name).data()[0];
    double squares = 0;
    ASSERT_TRUE(parameter.grad().defined()) << name;
    for (const float g : parameter.grad().values()) squares += double(g) * g;
    if (exact < 1e-5) {  // a bias that batch norm takes out again
      EXPECT_LT(std::sqrt(squares), 1e-5) << name;
    } else {
      const double error = std::abs(std::sqrt(squares) / exact - 1);
      EXPECT_LE(error, 1e-3) << name;
      worst = std::max(worst, error);
    }
    for (int64_t i = 0; i < parameter.shape().count(); ++i) {
      parameter.value().data()[i] -= 0.01f * parameter.grad().data()[i];
    }
    parameter.clear_grad();
  }
  EXPECT_EQ(parameters,
            std::count_if(golden_->arrays.begin(), golden_->arrays.end(), [](auto& entry) {
              return entry.first.starts_with(GetParam() + "/grad.norm.");
            }));
  const NoGrad no_grad;
  const float after = loss().value().data()[0];
  std::printf("%s: gradient norms differ by %.1e, losses %.6f (%.6f) and %.6f (%.6f)\n",
              GetParam().c_str(), worst, first.value().data()[0], losses.data()[0], after,
              losses.data()[1]);
  EXPECT_NEAR(after, losses.data()[1], 1e-3 * losses.data()[1]);
}

std::vector<std::string> others() {
  std::vector<std::string> names = network_names();
  std::erase(names, "mobilenet_v2");  // golden_test.cpp
  // The sanitizers see ResNet-50's layers in ResNet-18 and the MobileNets, and all of it at 64x64
  // in tests/pruning/networks_test.cpp: here it adds numbers, and a third of the time.
  if (testing::kSanitized) std::erase(names, "resnet50");
  return names;
}

INSTANTIATE_TEST_SUITE_P(Networks, NetworksGolden, ::testing::ValuesIn(others()),
                         [](const auto& network) { return network.param; });

}  // namespace
}  // namespace edgeprune
