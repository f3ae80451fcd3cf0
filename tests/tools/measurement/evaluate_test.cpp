#include "tools/measurement/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "data/preprocess.h"
#include "engine/autograd/variable.h"
#include "tests/support/message_of.h"
#include "tests/support/small_run.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::SmallRun;

TEST(Evaluate, EqualsTheNetworkInEvaluationMode) {
  SmallRun run(40);
  run.train();  // so that batch norm has statistics
  run.model.train(false);
  const NoGrad no_grad;
  Preprocessor preprocess(32, imagenet_normalisation());
  int64_t correct = 0;
  double loss = 0;
  for (size_t i = 0; i < run.training.images.size(); ++i) {
    Tensor image({1, 32, 32, 3});
    preprocess(run.training.images[i], image.values());
    Rng unused(0);
    const Tensor logits = run.model.forward(Variable(image), unused).value();
    double sum = 0;
    for (const float logit : logits.values()) sum += std::exp(double(logit));
    const int label = run.training.labels[i];
    loss += std::log(sum) - double(logits.data()[label]);
    correct += std::max_element(logits.values().begin(), logits.values().end()) -
                   logits.values().begin() ==
               label;
  }
  for (const auto engine : {inference::Engine::dense, inference::Engine::sparse}) {
    for (const int64_t batch : {1, 16, 100}) {  // 16: the last batch is not full
      const Evaluation result = evaluate(run.model, run.info, run.training, engine, batch);
      EXPECT_EQ(result.images, 40);
      EXPECT_EQ(result.accuracy, double(correct) / 40) << batch;
      EXPECT_NEAR(result.loss, loss / 40, 1e-4) << batch;
      EXPECT_GT(result.ms_per_image, 0);
    }
  }
}

TEST(CorrectDigits, TheFirstImageIsTheHighestBit) {
  const auto digits = [](const std::vector<int>& right) {
    Tensor logits({std::ssize(right), 2}, 0.0f);  // all say class 0 or 1
    const std::vector<int> labels(right.size(), 1);
    for (size_t n = 0; n < right.size(); ++n) {
      logits.data()[2 * n + (right[n] != 0 ? 1 : 0)] = 1;
    }
    return correct_digits(logits, labels);
  };
  EXPECT_EQ(digits({1, 0, 0, 0}), "8");
  EXPECT_EQ(digits({0, 0, 0, 1}), "1");
  EXPECT_EQ(digits({1, 1, 1, 1, 0, 1, 1, 0}), "f6");
  EXPECT_EQ(digits({0, 0, 0, 0, 1}), "08") << "bits behind the last image are zero";
  EXPECT_EQ(digits({1, 0, 1, 0, 1, 1}), "ac");
  EXPECT_THROW(correct_digits(Tensor({2, 2}, 0.0f), {1}), std::invalid_argument);
  EXPECT_THROW(correct_digits({}, {1}), std::invalid_argument);
}

TEST(CorrectDigits, CountAsManyAsTheAccuracySays) {
  SmallRun run(50);
  const Evaluation result = evaluate(run.model, run.info, run.training, inference::Engine::dense);
  int bits = 0;
  for (const char digit : correct_digits(result.logits, run.training.labels)) {
    bits += std::popcount(static_cast<unsigned>(std::stoi(std::string(1, digit), nullptr, 16)));
  }
  EXPECT_EQ(bits, std::llround(result.accuracy * 50));
}

TEST(Evaluate, LeavesTheModelAsItWas) {
  SmallRun run(20);
  const SmallRun untouched(20);
  evaluate(run.model, run.info, run.training, inference::Engine::dense);
  EXPECT_TRUE(testing::same_weights(run.model, untouched.model));
  EXPECT_TRUE(run.model.training());
}

TEST(Evaluate, OtherClassesAreRejected) {
  SmallRun run(20);
  run.info.classes[0] = "plane";
  EXPECT_THAT(message_of<std::invalid_argument>(
                  [&] { evaluate(run.model, run.info, run.training, inference::Engine::dense); }),
              HasSubstr("class 0 is 'plane' in the model"));
  run.info.classes.resize(3);
  EXPECT_THAT(message_of<std::invalid_argument>(
                  [&] { require_same_classes(run.info.classes, run.training); }),
              HasSubstr("the model has 3 classes"));
}

TEST(Evaluate, PlaceholdersMatchByCountAndGiveWay) {
  SmallRun run(20);
  run.info.classes = placeholder_names(10);
  EXPECT_EQ(evaluate(run.model, run.info, run.training, inference::Engine::dense).images, 20);
  EXPECT_TRUE(take_class_names(run.info, run.training));
  EXPECT_EQ(run.info.classes, run.training.classes);
  EXPECT_FALSE(take_class_names(run.info, run.training)) << "it has names";
  run.info.classes = placeholder_names(3);
  EXPECT_FALSE(take_class_names(run.info, run.training));
  EXPECT_THAT(message_of<std::invalid_argument>(
                  [&] { require_same_classes(run.info.classes, run.training); }),
              HasSubstr("the model has 3 classes"));
}

TEST(Evaluate, WarnsOfOneClassForAllImagesAndOfDeadLayers) {
  SmallRun run(40);
  const auto warning = [&] {
    return evaluate(run.model, run.info, run.training, inference::Engine::dense).warning;
  };
  run.train();
  run.model.head().bias.value().data()[2] = 1e6f;
  EXPECT_EQ(warning(),
            "all 40 images are called 'square': the network does not tell them apart, "
            "its accuracy is that class's share");
  run.model.convolutions()[4]->weight.value().fill(0);
  EXPECT_THAT(warning(), HasSubstr("no weight of features.2.conv.1.0 is left"));
  EXPECT_THAT(warning(), HasSubstr("; all 40 images"));
  // Of one class alone nothing can be told.
  run.model.convolutions()[4]->weight.value().fill(1);
  run.training.labels.assign(40, 5);
  EXPECT_EQ(warning(), "");
  run.model.convolutions()[8]->weight.value().fill(
      0);  // features.3.conv.2: what it reads is added behind it
  EXPECT_EQ(warning(), "");
}

TEST(ReportWarning, IsSaidOrStrictlyThrown) {
  std::string said;
  const auto say = [&](const std::string& line) { said += line; };
  report_warning("", true, say);
  EXPECT_EQ(said, "");
  report_warning("dead", false, say);
  EXPECT_EQ(said, "warning: dead");
  EXPECT_EQ(message_of<std::runtime_error>([&] { report_warning("dead", true, say); }),
            "[strict] dead");
}

TEST(Evaluate, EmptyDataAndBatchesAreRejected) {
  SmallRun run(20);
  const auto action = [&](int64_t batch) {
    evaluate(run.model, run.info, run.training, inference::Engine::dense, batch);
  };
  EXPECT_THROW(action(0), std::invalid_argument);
  run.training.images.clear();
  run.training.labels.clear();
  EXPECT_THROW(action(10), std::invalid_argument);
}

TEST(Evaluate, StopsOnCtrlC) {
  SmallRun run(20);
  const InterruptGuard guard;
  ::raise(SIGINT);
  EXPECT_THROW(evaluate(run.model, run.info, run.training, inference::Engine::dense), Interrupted);
}

}  // namespace
}  // namespace edgeprune
