// The check that oneDNN has to pass before it is used: right numbers pass, wrong ones of the kinds
// that happen do not.

#include "engine/kernels/onednn/trial.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"

namespace edgeprune::onednn {
namespace {

std::vector<float> with_residual(const Trial& t, const std::vector<float>& residual) {
  std::vector<float> output(t.output.size());
  reference::conv2d_forward(t.shape, t.input.data(), t.weights.data(), t.bias.data(),
                            residual.data(), Activation::relu6, output.data());
  return output;
}

std::vector<float> right(const Trial& t) {
  return with_residual(t, t.output);
}

/// Each test has a name of its own, as verdicts are remembered by name.
bool is_right(const std::string& name, const Computation& actual) {
  return onednn::is_right(name, testing::pointwise_shape(14, 17, 19), actual, right);
}

TEST(OneDnnTrial, LetsRightNumbersPass) {
  EXPECT_TRUE(is_right("right", right));
  EXPECT_TRUE(is_right("rounded", [](const Trial& t) {
    auto output = right(t);
    for (float& value : output) value *= 1.0f + 2e-6f;
    return output;
  }));
}

TEST(OneDnnTrial, FindsAResidualReadByItsChannelAlone) {  // as oneDNN 2.6 does on ARM
  EXPECT_FALSE(is_right("by channel", [](const Trial& t) {
    auto residual = t.output;
    for (size_t i = 0; i < residual.size(); ++i) {
      residual[i] = t.output[i % static_cast<size_t>(t.shape.out_channels)];
    }
    return with_residual(t, residual);
  }));
}

TEST(OneDnnTrial, FindsAResidualOrAClipThatIsMissing) {
  EXPECT_FALSE(is_right("no residual", [](const Trial& t) {
    return with_residual(t, std::vector<float>(t.output.size()));
  }));
  EXPECT_FALSE(is_right("no clip", [](const Trial& t) {
    std::vector<float> output(t.output.size());
    reference::conv2d_forward(t.shape, t.input.data(), t.weights.data(), t.bias.data(),
                              t.output.data(), Activation::none, output.data());
    return output;
  }));
}

TEST(OneDnnTrial, FindsASingleWrongNumber) {
  for (const float wrong : {0.01f, -1.0f, std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity()}) {
    EXPECT_FALSE(is_right("plus " + std::to_string(wrong), [=](const Trial& t) {
      auto output = right(t);
      output.back() += wrong;
      return output;
    })) << wrong;
  }
  EXPECT_FALSE(is_right("too few", [](const Trial& t) {
    auto output = right(t);
    output.pop_back();
    return output;
  }));
}

TEST(OneDnnTrial, RemembersTheVerdictForTheSameKindOfShape) {
  int runs = 0;
  const auto counted = [&](const Trial& t) {
    ++runs;
    return right(t);
  };
  auto shape = testing::pointwise_shape(14, 17, 19);
  EXPECT_TRUE(onednn::is_right("counted", shape, counted, right));
  shape.in_height = shape.in_width = 28;
  EXPECT_TRUE(onednn::is_right("counted", shape, counted, right));
  EXPECT_EQ(runs, 1);
  shape.out_channels = 20;
  EXPECT_TRUE(onednn::is_right("counted", shape, counted, right));
  EXPECT_EQ(runs, 2);
}

TEST(OneDnnTrial, RefusesWithTheVersionAndTheShape) {
  const auto wrong = [](const Trial& t) { return std::vector<float>(t.output.size()); };
  try {
    require_right("zeros", testing::pointwise_shape(14, 17, 19), wrong, right);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(version()), std::string::npos) << message;
    EXPECT_NE(message.find("zeros"), std::string::npos) << message;
    EXPECT_NE(message.find("17 -> 19 channels"), std::string::npos) << message;
  }
}

TEST(OneDnnTrial, LeavesTheResidualToUsWhereOneDnnFusesItWrongly) {
  const char* instructions = std::getenv("DNNL_MAX_CPU_ISA");
  if (instructions == nullptr || std::string(instructions) != "AVX" || version()[0] != '2') {
    GTEST_SKIP() << "needs oneDNN 2 and DNNL_MAX_CPU_ISA=AVX, which makes it err on x86 too";
  }
  const auto shape = testing::pointwise_shape(5, 17, 19);
  const Trial t(shape);
  FusedConv2d conv(shape, t.weights.data(), t.bias.data(), Activation::relu6, true);
  EXPECT_FALSE(conv.is_fused());
  std::vector<float> output(t.output.size());
  conv.run(t.input.data(), t.output.data(), output.data());
  EXPECT_TRUE(agree(output, right(t)));
}

}  // namespace
}  // namespace edgeprune::onednn
