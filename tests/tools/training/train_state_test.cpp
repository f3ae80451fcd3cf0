#include "tools/training/train_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/tensor/safetensors.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_run.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::SmallRun;
using testing::TemporaryFolder;

/// A run and its optimiser, between two batches.
struct Paused : SmallRun {
  Paused() : optimizer(optim::make_optimizer("adam", model.parameters(), 0)) {
    identity = run_identity(model, training, nullptr, masks, options);
  }

  void step() {
    for (NamedVariable& parameter : model.parameters()) {
      parameter.variable.backward(testing::random_tensor(parameter.variable.shape(), 1));
    }
    optimizer->step(0.1f);
  }

  void save(const std::string& path, const TrainProgress& progress = {}) const {
    save_train_state(path, identity, model, *optimizer, progress);
  }
  TrainProgress load(const std::string& path) {
    return load_train_state(path, identity, model, *optimizer);
  }

  std::unique_ptr<optim::Optimizer> optimizer;
  nlohmann::json identity;
};

TEST(TrainState, WhatIsLoadedIsWhatWasSaved) {
  const TemporaryFolder folder;
  Paused saved, loaded;
  saved.step();
  TrainProgress progress;
  progress.epoch = 2;
  progress.batch = 7;
  progress.loss = 1.1 / 3;
  progress.seconds = 9.5;
  progress.correct = 123;
  progress.finished = {{1, 0.1 / 3, 0.25, 3.5, 200.5, 0.01, 0.125}, {2, 0.2, 0.5, 4, 300, 0, {}}};
  progress.best_accuracy = 0.125;
  progress.best_epoch = 1;
  progress.best_weights = loaded.model.state_dict();
  saved.save(folder.file("state"), progress);

  const TrainProgress p = loaded.load(folder.file("state"));
  EXPECT_TRUE(same_weights(loaded.model, saved.model));
  for (const auto& [name, array] : saved.optimizer->state()) {
    EXPECT_EQ(loaded.optimizer->state().at(name).bytes, array.bytes) << name;
  }
  EXPECT_EQ(std::tie(p.epoch, p.batch, p.loss, p.seconds, p.correct, p.best_accuracy),
            std::tie(progress.epoch, progress.batch, progress.loss, progress.seconds,
                     progress.correct, progress.best_accuracy));
  EXPECT_EQ(p.best_epoch, 1);
  ASSERT_EQ(p.best_weights.size(), progress.best_weights.size());
  for (const auto& [name, array] : progress.best_weights) {
    EXPECT_EQ(p.best_weights.at(name).bytes, array.bytes) << name;
  }
  ASSERT_EQ(p.finished.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const EpochResult &a = p.finished[i], &b = progress.finished[i];
    EXPECT_EQ(std::tie(a.epoch, a.loss, a.accuracy, a.seconds, a.images_per_second, a.loader_wait,
                       a.validation_accuracy),
              std::tie(b.epoch, b.loss, b.accuracy, b.seconds, b.images_per_second, b.loader_wait,
                       b.validation_accuracy));
  }
}

TEST(TrainState, AnotherRunsStateIsRejectedNamingWhatDiffers) {
  const TemporaryFolder folder;
  Paused saved;
  saved.save(folder.file("state"));
  const auto error_with = [&](const auto& change) {
    Paused other;
    change(other);
    other.identity = run_identity(other.model, other.training,
                                  other.validation.size() > 0 ? &other.validation : nullptr,
                                  other.masks, other.options);
    return message_of<std::invalid_argument>([&] { other.load(folder.file("state")); });
  };
  EXPECT_EQ(error_with([](Paused&) {}), testing::kNothingThrown);
  const auto expect_named = [&](const std::string& what, const auto& change) {
    const std::string message = error_with(change);
    EXPECT_THAT(message, HasSubstr(": " + what + " differs"));
    EXPECT_THAT(message, HasSubstr(folder.file("state")));
  };
  expect_named("epochs", [](Paused& p) { --p.options.epochs; });
  expect_named("batch", [](Paused& p) { ++p.options.batch; });
  expect_named("seed", [](Paused& p) { ++p.options.seed; });
  expect_named("optimizer", [](Paused& p) { p.options.optimizer = "sgd"; });
  expect_named("learning rate", [](Paused& p) { p.options.learning_rate *= 2; });
  expect_named("schedule", [](Paused& p) { p.options.schedule = optim::Schedule::Kind::cosine; });
  expect_named("weight decay", [](Paused& p) { p.options.weight_decay = 1; });
  expect_named("flip", [](Paused& p) { p.options.augmentation.flip = false; });
  expect_named("crop padding", [](Paused& p) { p.options.augmentation.crop_padding = 1; });
  expect_named("initial weights", [](Paused& p) { p.step(); });
  expect_named("masks", [](Paused& p) { p.masks = make_masks(p.model, Method::magnitude, 0.1); });
  expect_named("training data", [](Paused& p) { p.training.images[9].rgb[0] ^= 1; });
  expect_named("training data",
               [](Paused& p) { std::swap(p.training.labels[0], p.training.labels[1]); });
  const auto teacher = [](Paused& p, uint64_t seed) {
    p.options.teacher = std::make_shared<nn::Network>(p.model.graph(), seed);
  };
  expect_named("distillation", [&](Paused& p) {
    p.options.distillation = Distillation{4, 0.5f};
    teacher(p, 1);
  });
  expect_named("rewinding", [](Paused& p) { p.options.rewinding = Rewinding{}; });
  expect_named("batch-norm recalibration", [](Paused& p) { p.options.bn_recalibrate = 10; });
  {
    Paused distilled;
    distilled.options.distillation = Distillation{4, 0.5f};
    teacher(distilled, 1);
    const auto identity = [&] {
      return run_identity(distilled.model, distilled.training, nullptr, {}, distilled.options);
    };
    const auto before = identity();
    teacher(distilled, 1);
    EXPECT_EQ(identity(), before) << "another copy of the same weights";
    teacher(distilled, 2);
    EXPECT_NE(identity(), before);
  }
  expect_named("validation data", [](Paused& p) { p.validation = p.training; });
}

TEST(TrainState, HowOftenItIsSavedMakesNoOtherRun) {
  const TemporaryFolder folder;
  Paused saved, loaded;
  saved.save(folder.file("state"));
  loaded.options.save_every_seconds = 1;
  loaded.identity =
      run_identity(loaded.model, loaded.training, nullptr, loaded.masks, loaded.options);
  EXPECT_NO_THROW(loaded.load(folder.file("state")));
}

TEST(TrainState, DamagedFilesAreFileErrors) {
  const TemporaryFolder folder;
  Paused run;
  run.step();
  const std::string path = folder.file("state");
  run.save(path);
  const std::vector<char> bytes = read_file(path);
  const Archive archive = read_safetensors(path);
  const auto expect_file_error = [&](const std::string& why) {
    Paused loaded;
    EXPECT_THAT(message_of<FileError>([&] { loaded.load(path); }), HasSubstr(path)) << why;
  };
  for (const size_t length : {size_t{0}, size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
    write_file_atomically(path, std::string_view(bytes.data(), length));
    expect_file_error("cut to " + std::to_string(length));
  }
  const auto expect_error_with = [&](const std::string& why, const auto& change) {
    Archive changed = archive;
    change(changed);
    write_safetensors(path, changed);
    expect_file_error(why);
  };
  expect_error_with("no identity", [](Archive& a) { a.metadata.erase("identity"); });
  expect_error_with("no progress", [](Archive& a) { a.metadata.erase("progress"); });
  expect_error_with("no JSON", [](Archive& a) { a.metadata["progress"] = "{"; });
  expect_error_with("no object", [](Archive& a) { a.metadata["progress"] = "[]"; });
  expect_error_with("text for a number", [](Archive& a) {
    auto progress = nlohmann::json::parse(a.metadata["progress"]);
    progress["batch"] = "seven";
    a.metadata["progress"] = progress.dump();
  });
  expect_error_with("deep",
                    [](Archive& a) { a.metadata["progress"] = std::string(1'000'000, '['); });
  const auto expect_error_if = [&](const std::string& key, const nlohmann::json& value) {
    expect_error_with(key, [&](Archive& a) {
      auto progress = nlohmann::json::parse(a.metadata["progress"]);
      progress[key] = value;
      a.metadata["progress"] = progress.dump();
    });
  };
  expect_error_if("epoch", 1);  // of which nothing is told
  expect_error_if("epoch", -1);
  expect_error_if("batch", -1);
  expect_error_if("correct", -1);
  expect_error_if("best_epoch", 1);
  expect_error_if("best_epoch", -1);
  expect_error_with("the best weights are missing", [](Archive& a) {
    auto progress = nlohmann::json::parse(a.metadata["progress"]);
    progress["epoch"] = progress["best_epoch"] = 1;
    progress["finished"] = nlohmann::json::array({{{"epoch", 1},
                                                   {"loss", 1},
                                                   {"accuracy", 1},
                                                   {"seconds", 1},
                                                   {"images_per_second", 1},
                                                   {"loader_wait", 0},
                                                   {"validation_accuracy", 0.5}}});
    a.metadata["progress"] = progress.dump();
  });
  expect_error_with("a weight is missing",
                    [](Archive& a) { a.arrays.erase("model/classifier.1.weight"); });
  expect_error_with("a moment is missing", [](Archive& a) {
    a.arrays.erase("optimizer/first_moment/classifier.1.weight");
  });
  expect_error_with("a moment has another shape", [](Archive& a) {
    a.arrays["optimizer/first_moment/classifier.1.weight"] = Array::from(Tensor({3}, 0.0f));
  });
  std::filesystem::remove(path);
  expect_file_error("missing");
}

}  // namespace
}  // namespace edgeprune
