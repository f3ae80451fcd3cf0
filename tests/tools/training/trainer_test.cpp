#include "tools/training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "data/loader.h"
#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/ops/cross_entropy.h"
#include "engine/tensor/safetensors.h"
#include "models/summary.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/sanitizers.h"
#include "tests/support/small_run.h"
#include "tools/measurement/evaluate.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::SmallRun;
using testing::TemporaryFolder;

TEST(Trainer, LearnsWellAboveChance) {
  if (testing::kSanitized) GTEST_SKIP() << "320 steps of which other tests take a few each";
  SmallRun run(1000);
  run.options.epochs = 10;
  // At 1e-2 the last digits of a sum decide whether so few steps end at 20 or at 56 %.
  run.options.learning_rate = 5e-3f;
  const TrainResult result = run.train();
  ASSERT_EQ(result.epochs.size(), 10u);
  EXPECT_LT(result.epochs.back().loss, result.epochs.front().loss);
  EXPECT_EQ(result.chosen_epoch, 10);
  const Evaluation test =
      evaluate(run.model, run.info, synthetic(300, Split::test, 0), inference::Engine::dense);
  EXPECT_GT(test.accuracy, 0.4) << "chance is 0.1";
}

TEST(Trainer, TheLastSmallerBatchTrainsAndCountsByItsImages) {
  SmallRun run(70);
  run.options.epochs = 1;
  run.options.learning_rate = 1e-30f;  // the weights stay
  run.model.set_dropout_rate(0);
  Loader loader(run.training, {.batch = 32,
                               .input_size = 32,
                               .shuffle = true,
                               .augmentation = run.options.augmentation,
                               .seed = 5});
  double sum = 0;
  loader.start_epoch(0);
  {
    const NoGrad no_grad;
    Rng unused(0);
    for (Batch batch; loader.next(batch);) {
      const Variable logits = run.model.forward(Variable(batch.input), unused);
      sum += double(batch.labels.size()) *
             double(ops::cross_entropy(logits, batch.labels).value().data()[0]);
    }
  }
  const TrainResult result = run.train();
  EXPECT_NEAR(result.epochs[0].loss, sum / 70, 1e-5);
  EXPECT_EQ(result.steady.count + kWarmUpSteps, 3) << "batches of 32, 32 and 6";
}

TEST(Trainer, ALastBatchOfOneImageIsLeftOutAndSaid) {
  SmallRun run(65);
  run.options.epochs = 3;
  EXPECT_EQ(run.train().steady.count + kWarmUpSteps, 3 * 2);
  EXPECT_THAT(batch_note(65, 32), HasSubstr("one of the 65 images"));
  EXPECT_EQ(batch_note(64, 32), "");
  EXPECT_EQ(batch_note(66, 32), "");
  EXPECT_EQ(batch_note(5, 1), "");
}

TEST(Trainer, FewerImagesThanABatchAreOneBatch) {
  SmallRun run(20);
  run.options.epochs = 3;
  EXPECT_EQ(run.train().steady.count + kWarmUpSteps, 3);
  EXPECT_THAT(batch_note(20, 32), HasSubstr("batches of 20 images, which are all (--batch 32)"));
}

TEST(Trainer, ReportsEveryEpoch) {
  SmallRun run;
  std::vector<int64_t> reported;
  const TrainResult result =
      run.train({}, [&](const EpochResult& epoch) { reported.push_back(epoch.epoch); });
  EXPECT_EQ(reported, (std::vector<int64_t>{1, 2}));
  double seconds = 0;
  for (const EpochResult& epoch : result.epochs) {
    EXPECT_GT(epoch.loss, 0);
    EXPECT_GT(epoch.seconds, 0);
    EXPECT_NEAR(epoch.images_per_second, 96 / epoch.seconds, 1e-6);
    EXPECT_GE(epoch.loader_wait, 0);
    EXPECT_LE(epoch.loader_wait, 1);
    EXPECT_FALSE(epoch.validation_accuracy.has_value());
    seconds += epoch.seconds;
  }
  EXPECT_DOUBLE_EQ(result.seconds, seconds);
}

TEST(Trainer, ProfileLeavesOutTheWarmUp) {
  SmallRun run;  // 2 epochs of 3 steps
  Profiler profiler;
  run.options.profiler = &profiler;
  const TrainResult result = run.train();
  EXPECT_EQ(result.steady.count, 6 - kWarmUpSteps);
  EXPECT_GT(result.steady.seconds, 0);
  EXPECT_LT(result.steady.seconds, result.seconds);
  EXPECT_EQ(profiler.entries().at({"optimizer", Phase::backward}).calls, result.steady.count);
  double accounted = 0;
  for (const auto& [key, entry] : profiler.entries()) accounted += entry.seconds;
  EXPECT_LT(accounted, 1.1 * result.steady.seconds);
  EXPECT_GT(accounted, 0);
}

TEST(Trainer, BuffersAreRecycledInTheSteadyState) {
  SmallRun run(32 * 40);
  run.options.epochs = 1;
  const TrainResult result = run.train();
  EXPECT_EQ(result.steady.count, 38);
  // The loader, ahead of the steps, may still take its last ones.
  EXPECT_LE(result.steady.fresh_buffers, 3u);
}

TEST(Trainer, NoEpochsLeaveTheModelAlone) {
  SmallRun run;
  const SmallRun untouched;
  run.options.epochs = 0;
  EXPECT_EQ(run.train().chosen_epoch, 0);
  EXPECT_TRUE(same_weights(run.model, untouched.model));
}

TEST(Trainer, SameSeedSameResultBitForBit) {
  SmallRun first, second, other;
  first.train();
  second.train();
  EXPECT_TRUE(same_weights(first.model, second.model));
  other.options.seed = 6;
  other.train();
  EXPECT_FALSE(same_weights(first.model, other.model));
}

TEST(Trainer, MasksHold) {
  for (const std::string& optimizer : names_of(optim::kOptimizers)) {
    SmallRun run;
    run.options.optimizer = optimizer;
    run.options.weight_decay = 0.01f;
    run.masks = make_masks(run.model, Method::magnitude, 0.5);
    const ModelSummary before = summarize(run.model);
    run.train();
    int64_t pruned = 0;
    for (const PrunableWeight& weight : prunable_weights(run.model)) {
      const Tensor &value = weight.variable.value(), &mask = run.masks.at(weight.name);
      for (int64_t i = 0; i < value.count(); ++i) {
        if (mask.data()[i] != 0.0f) continue;
        ++pruned;
        ASSERT_EQ(value.data()[i], 0.0f) << weight.name;
      }
    }
    EXPECT_EQ(pruned, std::llround(0.5 * double(before.prunable)));
    EXPECT_EQ(summarize(run.model).nonzero_prunable, before.prunable - pruned) << optimizer;
  }
}

/// A run with everything that a state has to carry, in 2 epochs of 3 batches.
struct FullRun : SmallRun {
  FullRun() {
    options.schedule = optim::Schedule::Kind::cosine;
    options.weight_decay = 1e-4f;
    options.augmentation.crop_padding = 4;
    masks = make_masks(model, Method::channel, 0.3);
  }
};

TEST(Trainer, InterruptedAfterEveryBatchEqualsUndisturbed) {
  const TemporaryFolder folder;
  FullRun undisturbed;
  undisturbed.train();
  const TrainState state{folder.file("m.state"), true};
  for (int batch = 0; batch < 6; ++batch) {
    FullRun part;
    EXPECT_TRUE(part.train_one_batch(state));
  }
  FullRun last;
  EXPECT_FALSE(last.train_one_batch(state)) << "nothing was left to do";
  EXPECT_TRUE(same_weights(last.model, undisturbed.model));
}

/// FullRun with a validation set of 10 images.
struct ValidatedRun : FullRun {
  ValidatedRun() {
    std::tie(training, validation) = hold_out(std::move(training), 10, 0);
    options.batch = 28;
  }
};

TEST(Trainer, InterruptedInTheValidationEqualsUndisturbed) {
  const TemporaryFolder folder;
  ValidatedRun undisturbed, last;
  const TrainResult expected = undisturbed.train();
  const TrainState state{folder.file("m.state"), true};
  for (int part = 0; part < 4; ++part) {  // the last one has no batch left in its epoch
    ValidatedRun interrupted_run;
    EXPECT_TRUE(interrupted_run.train_one_batch(state));
  }
  const TrainResult result = last.train(state);
  EXPECT_TRUE(same_weights(last.model, undisturbed.model));
  EXPECT_EQ(result.chosen_epoch, expected.chosen_epoch);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(result.epochs[i].validation_accuracy, expected.epochs[i].validation_accuracy);
  }
}

/// Of the current epoch.
int64_t batches_in_state(const std::string& path) {
  const auto progress = read_safetensors(path).metadata.at("progress");
  return nlohmann::json::parse(progress).at("batch");
}

TEST(Trainer, AnEpochIsSavedBeforeItsValidation) {
  const TemporaryFolder folder;
  ValidatedRun run;
  run.validation.classes[3] = "another";  // an error in the validation stands for a Ctrl-C there
  EXPECT_THROW(run.train({folder.file("m.state"), false}), std::invalid_argument);
  EXPECT_EQ(batches_in_state(folder.file("m.state")), 4) << "of 32, 32, 32 and 4 images";
}

TEST(Trainer, EpochsOfAResumedRunAreAllReported) {
  const TemporaryFolder folder;
  SmallRun undisturbed, first, second;
  const TrainResult expected = undisturbed.train();
  const TrainState state{folder.file("m.state"), true};
  const auto stop = [](const EpochResult&) { throw std::runtime_error("power cut"); };
  EXPECT_THROW(first.train(state, stop), std::runtime_error);
  std::vector<int64_t> reported;
  const TrainResult result =
      second.train(state, [&](const EpochResult& epoch) { reported.push_back(epoch.epoch); });
  EXPECT_EQ(reported, std::vector<int64_t>{2});
  ASSERT_EQ(result.epochs.size(), expected.epochs.size());
  for (size_t i = 0; i < expected.epochs.size(); ++i) {
    EXPECT_EQ(result.epochs[i].epoch, expected.epochs[i].epoch);
    EXPECT_EQ(result.epochs[i].loss, expected.epochs[i].loss);
    EXPECT_EQ(result.epochs[i].accuracy, expected.epochs[i].accuracy);
  }
  EXPECT_TRUE(same_weights(second.model, undisturbed.model));
}

TEST(Trainer, AResumedRunMayBeLonger) {
  const TemporaryFolder folder;
  const TrainState state{folder.file("m.state"), true};
  SmallRun undisturbed, first, longer, shorter, cosine;
  undisturbed.options.epochs = 3;
  undisturbed.train();
  first.train(state);  // two epochs; the state stays
  longer.options.epochs = 3;
  EXPECT_EQ(longer.train(state).epochs.size(), 3u);
  EXPECT_TRUE(same_weights(longer.model, undisturbed.model));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { shorter.train(state); }),
              HasSubstr("epochs differs, and may only grow, at a constant learning rate"));
  std::filesystem::remove(state.path);
  cosine.options.schedule = optim::Schedule::Kind::cosine;
  SmallRun longer_cosine;
  longer_cosine.options = cosine.options;
  longer_cosine.options.epochs = 3;
  cosine.train(state);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { longer_cosine.train(state); }),
              HasSubstr("epochs differs"));
}

TEST(Trainer, SavesWithinEpochsAsOftenAsAsked) {
  const TemporaryFolder folder;
  const auto train_and_fail_in_batch_two = [&](double save_every_seconds, const char* name) {
    SmallRun run;
    run.options.learning_rate = 1e38f;
    run.options.save_every_seconds = save_every_seconds;
    EXPECT_THROW(run.train({folder.file(name), false}), std::runtime_error);
    return folder.file(name);
  };
  EXPECT_EQ(batches_in_state(train_and_fail_in_batch_two(0, "often.state")), 1);
  EXPECT_FALSE(fs::exists(train_and_fail_in_batch_two(3600, "rarely.state")));
}

TEST(Trainer, WithoutResumeAStateIsStartedOver) {
  const TemporaryFolder folder;
  SmallRun undisturbed, first, second;
  undisturbed.train();
  const std::string path = folder.file("m.state");
  ASSERT_TRUE(first.train_one_batch({path, false}));
  int64_t epochs = 0;
  second.train({path, false}, [&](const EpochResult&) { ++epochs; });
  EXPECT_EQ(epochs, 2);
  EXPECT_TRUE(same_weights(second.model, undisturbed.model));
}

TEST(Trainer, ResumingWithoutAStateStarts) {
  const TemporaryFolder folder;
  SmallRun run;
  EXPECT_EQ(run.train({folder.file("m.state"), true}).epochs.size(), 2u);
  EXPECT_TRUE(fs::exists(folder.file("m.state")));
}

TEST(Trainer, InterruptWithoutAStateStops) {
  SmallRun run;
  EXPECT_TRUE(run.train_one_batch({}));
}

TEST(Trainer, ValidationChoosesTheBestEpoch) {
  SmallRun run(160);
  std::tie(run.training, run.validation) = hold_out(std::move(run.training), 60, 0);
  run.options.epochs = 6;
  run.options.learning_rate = 1e-2f;
  std::vector<std::map<std::string, Array>> weights;
  const TrainResult result =
      run.train({}, [&](const EpochResult&) { weights.push_back(run.model.state_dict()); });
  int64_t best = 0;
  for (int64_t i = 0; i < 6; ++i) {
    ASSERT_TRUE(result.epochs[size_t(i)].validation_accuracy.has_value());
    if (*result.epochs[size_t(i)].validation_accuracy >
        *result.epochs[size_t(best)].validation_accuracy)
      best = i;
  }
  EXPECT_EQ(result.chosen_epoch, best + 1) << "the first of the best";
  for (const auto& [name, array] : run.model.state_dict()) {
    EXPECT_EQ(array.bytes, weights[size_t(best)].at(name).bytes) << name;
  }
  const Evaluation again = evaluate(run.model, run.info, run.validation, inference::Engine::dense);
  EXPECT_EQ(again.accuracy, *result.epochs[size_t(best)].validation_accuracy);
}

TEST(Trainer, LossThatIsNotFiniteIsAnError) {
  SmallRun run;
  run.options.learning_rate = 1e38f;
  const std::string message = message_of<std::runtime_error>([&] { run.train(); });
  EXPECT_THAT(message, HasSubstr("the loss is"));
  EXPECT_THAT(message, HasSubstr("epoch 1, batch 2 of 3 (learning rate 1e+38)"));
}

TEST(Trainer, WeightsThatAreNotFiniteAreAnErrorEvenIfTheLossIs) {
  const TemporaryFolder folder;
  SmallRun run(32);  // a single batch, whose loss is that of the weights before its step
  run.options.epochs = 1;
  run.options.optimizer = "sgd";
  run.options.learning_rate = 1e38f;
  run.options.weight_decay = 1e10f;
  EXPECT_THAT(message_of<std::runtime_error>([&] {
                run.train({folder.file("m.state"), false});
              }),
              HasSubstr("no longer finite in epoch 1 (learning rate 1e+38)"));
  EXPECT_FALSE(fs::exists(folder.file("m.state")));
}

TEST(Trainer, OptionsOutOfRangeAreRejected) {
  const auto error_with = [](const auto& change) {
    SmallRun run;
    change(run);
    return message_of<std::invalid_argument>([&] { run.train(); });
  };
  EXPECT_THAT(error_with([](SmallRun& r) { r.options.epochs = -1; }), HasSubstr("got -1"));
  EXPECT_THAT(error_with([](SmallRun& r) { r.options.batch = 0; }), HasSubstr("got 0"));
  EXPECT_THAT(error_with([](SmallRun& r) { r.options.optimizer = "lbfgs"; }),
              HasSubstr(listed(names_of(optim::kOptimizers))));
  for (const float rate : {0.0f, -1.0f, std::nanf(""), HUGE_VALF}) {
    EXPECT_THAT(error_with([&](SmallRun& r) { r.options.learning_rate = rate; }),
                HasSubstr("learning rate above 0"));
  }
  for (const float decay : {-1.0f, std::nanf("")}) {
    EXPECT_THAT(error_with([&](SmallRun& r) { r.options.weight_decay = decay; }),
                HasSubstr("weight decay"));
  }
}

TEST(Trainer, OtherClassesAreRejected) {
  SmallRun fewer, other;
  fewer.info.classes.pop_back();
  EXPECT_THAT(message_of<std::invalid_argument>([&] { fewer.train(); }),
              HasSubstr("the model has 9 classes"));
  other.info.classes[4] = "cat";
  EXPECT_THAT(message_of<std::invalid_argument>([&] { other.train(); }),
              HasSubstr("class 4 is 'cat' in the model"));
}

TEST(Trainer, AStateThatCannotBeWrittenIsAnErrorBeforeTraining) {
  SmallRun run;
  const SmallRun untouched;
  EXPECT_THROW(run.train({"/nonexistent/m.state", false}), FileError);
  EXPECT_TRUE(same_weights(run.model, untouched.model));
}

}  // namespace
}  // namespace edgeprune
