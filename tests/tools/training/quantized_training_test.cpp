#include "tools/training/quantized_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/copy_model.h"
#include "models/summary.h"
#include "pruning/prune.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_run.h"

namespace edgeprune {
namespace {

using testing::message_of;
using testing::same_weights;
using testing::SmallRun;

const auto kSilent = [](const std::string&) {};

/// A network that was trained a little in floats, and a training of it for integers.
struct QuantizedRun : SmallRun {
  explicit QuantizedRun(int64_t images = 96) : SmallRun(images) {
    options.learning_rate = 5e-3f;
    SmallRun::train();
    checkpoint = {copy_of(model), info, "parent"};
    options.learning_rate = 1e-3f;
    options.qat = QuantizationAware{.images = 64};
  }

  TrainResult quantize(const TrainState& state = {}) {
    return train_quantized(checkpoint, training, validation.size() > 0 ? &validation : nullptr,
                           options, state, {}, kSilent);
  }

  Checkpoint checkpoint;
};

Evaluation in_integers(const Checkpoint& checkpoint, const Dataset& images) {
  return evaluate(*checkpoint.model, checkpoint.info, images, inference::Engine::int8);
}

TEST(QuantizedTraining, LearnsWithRoundedNumbers) {
  QuantizedRun run, untrained;
  untrained.options.epochs = 0;
  untrained.quantize();
  run.options.epochs = 8;
  const TrainResult result = run.quantize();
  EXPECT_LT(result.epochs.back().loss, 0.9 * result.epochs.front().loss);
  const Evaluation before = in_integers(untrained.checkpoint, run.training),
                   after = in_integers(run.checkpoint, run.training);
  EXPECT_LT(after.loss, 0.9 * before.loss);
  // The checkpoint is a quantised one.
  EXPECT_TRUE(run.checkpoint.model->norms().empty());
  EXPECT_EQ(run.checkpoint.sha256, "");
  const auto& step = run.checkpoint.info.history.back();
  EXPECT_EQ(step.at("parent"), "parent");
  EXPECT_EQ(step.at("qat"), (nlohmann::json{{"images", 64}, {"observer", "mse"}}));
}

TEST(QuantizedTraining, ValidationIsOfTheIntegersThatAreLeft) {
  QuantizedRun run(128);
  std::tie(run.training, run.validation) = hold_out(std::move(run.training), 30, 0);
  const TrainResult result = run.quantize();
  const EpochResult& chosen = result.epochs.at(static_cast<size_t>(result.chosen_epoch - 1));
  EXPECT_EQ(chosen.validation_accuracy, in_integers(run.checkpoint, run.validation).accuracy);
}

/// Parameters' values that are zero.
std::map<std::string, std::vector<bool>> zeros(const nn::Network& model) {
  std::map<std::string, std::vector<bool>> result;
  for (const auto& [name, parameter] : model.parameters()) {
    for (const float value : parameter.value().values()) result[name].push_back(value == 0.0f);
  }
  return result;
}

TEST(QuantizedTraining, ZerosOfAPrunedModelHold) {
  for (const Method method : {Method::magnitude, Method::channel}) {
    QuantizedRun run;
    PruneRequest request{.method = method, .step = {0.5}};
    if (method == Method::channel) request.mode = PruneMode::group_mask;
    run.checkpoint.model = prune(std::move(run.checkpoint.model), request).model;
    run.checkpoint.info.history.push_back({{"step", "prune"}, {"method", to_string(method)}});
    Checkpoint begun{copy_of(*run.checkpoint.model), run.checkpoint.info, ""};
    begin_quantized_training(begun, run.training, run.options);
    const auto before = zeros(*begun.model);
    const auto digits_before = begun.model->state_dict();
    run.quantize();
    EXPECT_NE(digits_before.at("classifier.1.weight").bytes,
              run.checkpoint.model->state_dict().at("classifier.1.weight").bytes);
    int64_t held = 0;
    for (const auto& [name, after] : zeros(*run.checkpoint.model)) {
      const bool convolution_bias = name.ends_with(".bias") && name != "classifier.1.bias";
      if (!name.ends_with(".weight") && !convolution_bias) continue;
      for (size_t i = 0; i < after.size(); ++i) {
        if (!before.at(name)[i]) continue;
        ++held;
        ASSERT_TRUE(after[i]) << name << " " << i;
      }
    }
    EXPECT_GT(held, summarize(*run.checkpoint.model).prunable / 3) << to_string(method);
  }
}

TEST(QuantizedTraining, InterruptedAfterEveryBatchEqualsUndisturbed) {
  const testing::TemporaryFolder folder;
  const QuantizedRun start;
  const auto begin = [&](QuantizedRun& run) {
    run.checkpoint = {copy_of(*start.checkpoint.model), start.checkpoint.info, "parent"};
    run.options.schedule = optim::Schedule::Kind::cosine;
  };
  QuantizedRun undisturbed;
  begin(undisturbed);
  undisturbed.quantize();
  const TrainState state{folder.file("m.state"), true};
  for (int batch = 0; batch < 6; ++batch) {
    QuantizedRun part;
    begin(part);
    // Ctrl-C during the calibration would be heard there.
    begin_quantized_training(part.checkpoint, part.training, part.options);
    const InterruptGuard guard;
    ::raise(SIGINT);
    EXPECT_THROW(train(*part.checkpoint.model, part.checkpoint.info, part.training, nullptr, {},
                       part.options, state),
                 Interrupted);
  }
  QuantizedRun last;
  begin(last);
  last.quantize(state);
  EXPECT_TRUE(same_weights(*last.checkpoint.model, *undisturbed.checkpoint.model));
  EXPECT_EQ(last.checkpoint.info.quantization->weight_scales,
            undisturbed.checkpoint.info.quantization->weight_scales);
  // Another observer's run is another run.
  QuantizedRun other;
  begin(other);
  other.options.qat->observer = Observer::minmax;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { other.quantize(state); }),
              ::testing::HasSubstr("is the state of another run"));
}

TEST(QuantizedTraining, WhatDoesNotFitIsRefused) {
  QuantizedRun run;
  const auto message = [&](auto action) { return message_of<std::invalid_argument>(action); };
  EXPECT_EQ(message([&] { run.train(); }),
            "[train] quantisation-aware training is of networks that it was begun with, other "
            "training of others");
  run.options.bn_recalibrate = 10;
  EXPECT_EQ(message([&] { run.quantize(); }),
            "[train] quantisation-aware training has no batch norm left whose statistics could be "
            "taken anew");
  run.options.qat.reset();
  EXPECT_EQ(message([&] { run.quantize(); }),
            "[qat] expected options of quantisation-aware training");
}

}  // namespace
}  // namespace edgeprune
