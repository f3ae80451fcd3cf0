// The whole network against PyTorch: eval logits, the first step's gradients and statistics, five
// Adam steps. Once on the small committed file (tests/golden/make_golden.py), once on the
// pretrained network of the shared data.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/inference/plan.h"
#include "engine/nn/network.h"
#include "engine/ops/cross_entropy.h"
#include "engine/optim/optimizer.h"
#include "engine/tensor/safetensors.h"
#include "models/checkpoint.h"
#include "models/fold.h"
#include "models/mobilenet_v2.h"
#include "tests/support/layouts.h"
#include "tests/support/paths.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::max_abs_error;

struct Golden {
  Archive archive;
  std::unique_ptr<nn::Network> model;
  float learning_rate;

  Tensor tensor(const std::string& name) const { return archive.at(name).to_tensor(name); }
  Tensor input() const { return testing::nchw_to_nhwc(tensor("input")); }
  std::vector<int> labels() const {
    const Array& array = archive.at("labels");
    std::vector<int> labels(static_cast<size_t>(array.shape.count()));
    const auto* values = reinterpret_cast<const int64_t*>(array.bytes.data());
    std::copy_n(values, labels.size(), labels.begin());
    return labels;
  }
  /// Every tensor whose name starts with the prefix, by the rest of its name.
  std::map<std::string, Array> with_prefix(const std::string& prefix) const {
    std::map<std::string, Array> result;
    for (const auto& [name, array] : archive.arrays) {
      if (name.starts_with(prefix)) result.emplace(name.substr(prefix.size()), array);
    }
    return result;
  }
};

double norm(const Tensor& t) {
  double squares = 0;
  for (const float v : t.values()) squares += double(v) * v;
  return std::sqrt(squares);
}

/// Of all parameters' gradients. The biases in front of a convolution that batch norm follows have
/// none by the algebra (batch norm removes any constant): rounding leaves about 1e-7, which has no
/// relative error to speak of.
double worst_norm_error(const std::map<std::string, Tensor>& grads,
                        const std::map<std::string, Array>& expected_norms) {
  constexpr double kZero = 1e-5;
  double worst = 0;
  EXPECT_EQ(grads.size(), expected_norms.size());
  for (const auto& [name, grad] : grads) {
    const double expected = expected_norms.at(name).to_tensor(name).data()[0];
    if (expected < kZero) {
      EXPECT_LT(norm(grad), kZero) << name;
    } else {
      worst = std::max(worst, std::abs(norm(grad) / expected - 1.0));
    }
  }
  return worst;
}

std::string golden_file(const std::string& name) {
  return testing::source_folder() + "/tests/golden/" + name;
}

std::unique_ptr<Golden> committed() {
  const std::string path = golden_file("mobilenet_v2_w25.safetensors");
  auto golden = std::make_unique<Golden>(Golden{read_safetensors(path), nullptr, 1e-4f});
  golden->model = std::make_unique<nn::Network>(mobilenet_v2(0.25, 32, 10), 0);
  golden->model->load_state_dict(golden->with_prefix("state."));
  return golden;
}

std::unique_ptr<Golden> pretrained() {
  const auto path = testing::shared_path("golden/mobilenet_v2_64.safetensors");
  const auto weights = testing::shared_path("weights/mobilenet_v2-imagenet.pth");
  if (!std::filesystem::exists(path) || !std::filesystem::exists(weights)) return nullptr;
  auto golden = std::make_unique<Golden>(Golden{read_safetensors(path.string()), nullptr, 1e-3f});
  golden->model = load_checkpoint(weights.string(), {.classes = 10}).model;
  golden->model->head().weight.value().copy_from(golden->tensor("head.weight"));
  golden->model->head().bias.value().copy_from(golden->tensor("head.bias"));
  return golden;
}

class GoldenTest : public ::testing::TestWithParam<std::unique_ptr<Golden> (*)()> {
 protected:
  void SetUp() override {
    golden_ = GetParam()();
    if (!golden_) GTEST_SKIP() << "needs golden/ and weights/ under " << testing::shared_path("");
  }

  /// Train mode without dropout, as the golden files were made.
  Variable train_logits() {
    golden_->model->set_dropout_rate(0.0f);
    golden_->model->train();
    return golden_->model->forward(Variable(golden_->input()), no_dropout_);
  }

  std::unique_ptr<Golden> golden_;
  Rng no_dropout_{0};
};

TEST_P(GoldenTest, EvalLogitsMatch) {
  golden_->model->train(false);
  NoGrad no_grad;
  const Variable logits = golden_->model->forward(Variable(golden_->input()), no_dropout_);
  const double error = max_abs_error(logits.value(), golden_->tensor("eval.logits"));
  RecordProperty("max_abs_error", std::to_string(error));
  std::printf("eval logits: max-abs error %.2e\n", error);
  EXPECT_LE(error, 1e-4);
}

TEST_P(GoldenTest, PlansOfAllEnginesMatchEvalLogits) {
  const Tensor input = golden_->input(), expected = golden_->tensor("eval.logits");
  const inference::Graph graph = fold_batch_norm(*golden_->model);
  for (const auto engine : inference::float_engines()) {
    inference::Plan plan(graph, engine, input.dim(0));
    Tensor logits(expected.shape());
    plan.run(input.data(), logits.data());
    const double error = max_abs_error(logits, expected);
    std::printf("%s plan: max-abs error %.2e\n", to_string(engine), error);
    EXPECT_LE(error, 1e-4) << to_string(engine);
  }
}

TEST_P(GoldenTest, FirstStepGradientsMatch) {
  const Variable logits = train_logits();
  const double logits_error = max_abs_error(logits.value(), golden_->tensor("train.logits"));
  std::printf("train logits: max-abs error %.2e\n", logits_error);
  EXPECT_LE(logits_error, 1e-3);
  ops::cross_entropy(logits, golden_->labels()).backward();
  std::map<std::string, Tensor> grads;
  for (const auto& [name, parameter] : golden_->model->parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    grads.emplace(name, parameter.grad());
  }
  // PyTorch's float32 gradient norms of the pretrained network are themselves up to 1.0e-3 from
  // float64's (values within 1e-6 of ReLU6's corners fall on either side), so two float32 runs may
  // differ by twice that.
  const double worst = worst_norm_error(grads, golden_->with_prefix("grad.norm."));
  std::printf("gradient norms: worst relative error %.2e\n", worst);
  EXPECT_LE(worst, 2e-3);
  for (const auto& [name, array] : golden_->with_prefix("grad.")) {
    if (name.starts_with("norm.")) continue;
    const Tensor expected = array.to_tensor(name);
    EXPECT_LE(max_abs_error(grads.at(name), expected), 2e-3 * norm(expected)) << name;
  }
  if (GetParam() != &pretrained) return;
  const Archive exact = read_safetensors(golden_file("mobilenet_v2_64_float64.safetensors"));
  const double from_exact =
      worst_norm_error(grads, Golden{exact, nullptr, 0}.with_prefix("grad.norm."));
  std::printf("gradient norms: worst relative error %.2e from float64's\n", from_exact);
  EXPECT_LE(from_exact, 1e-3);
}

TEST_P(GoldenTest, FiveAdamStepsMatch) {
  optim::Adam adam(golden_->model->parameters());
  const Tensor expected = golden_->tensor("train.losses");
  for (int64_t step = 0; step < expected.count(); ++step) {
    adam.zero_grad();
    Variable loss = ops::cross_entropy(train_logits(), golden_->labels());
    loss.backward();
    adam.step(golden_->learning_rate);
    std::printf("step %d: loss %.5f, PyTorch %.5f\n", int(step), loss.value().data()[0],
                expected.data()[step]);
    EXPECT_NEAR(loss.value().data()[0], expected.data()[step], 0.02 * expected.data()[step]);
    if (step != 0) continue;
    const auto state = golden_->model->state_dict();
    for (const auto& [name, array] : golden_->with_prefix("after_step1.")) {
      // An Adam step moves a weight by up to the learning rate whatever its gradient's size, so
      // that rounding in a gradient near zero shows whole.
      const double tolerance = name.find("running") != std::string::npos ? 1e-3 : 2.1e-3;
      EXPECT_LE(max_abs_error(state.at(name).to_tensor(name), array.to_tensor(name)), tolerance)
          << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Committed, GoldenTest, ::testing::Values(&committed),
                         [](const auto&) { return "Width25"; });
INSTANTIATE_TEST_SUITE_P(Pretrained, GoldenTest, ::testing::Values(&pretrained),
                         [](const auto&) { return "Width100"; });

}  // namespace
}  // namespace edgeprune
