#include "tools/training/starting_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "tests/support/masked_model.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_run.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::TemporaryFolder;

const std::vector<std::string> kClasses{"cat", "dog", "frog"};

Checkpoint start(const std::string& weights, uint64_t seed, std::string* heard = nullptr) {
  return StartingPoint(weights, {.seed = seed}).start(kClasses, [&](const std::string& line) {
    if (heard != nullptr) *heard += line + "\n";
  });
}

TEST(StartingPoint, RandomWeightsComeFromTheSeed) {
  const Checkpoint a = start("random", 1), again = start("random", 1), other = start("random", 2);
  EXPECT_TRUE(same_weights(*a.model, *again.model));
  EXPECT_FALSE(same_weights(*a.model, *other.model));
  EXPECT_EQ(a.model->graph().classes(), 3);
  EXPECT_EQ(a.model->graph().input_size(), 64);
  EXPECT_EQ(a.info.classes, kClasses);
  EXPECT_EQ(a.info.history.dump(), R"([{"seed":1,"step":"random"}])");
  EXPECT_EQ(a.sha256, "");
}

TEST(StartingPoint, FilesKeepTheBodyAndReplaceAHeadForOtherClasses) {
  const TemporaryFolder folder;
  const std::string path = folder.file("pretrained.safetensors");
  const nn::Network pretrained(mobilenet_v2(1.0, 64, 7), 11);
  ModelInfo info;
  info.classes.assign(7, "x");
  save_checkpoint(path, pretrained, info);

  std::string heard;
  const Checkpoint checkpoint = start(path, 1, &heard);
  EXPECT_THAT(heard, HasSubstr("for 7 classes in the file: replaced"));
  EXPECT_EQ(checkpoint.info.classes, kClasses);
  EXPECT_EQ(checkpoint.sha256, sha256_of_file(path));
  EXPECT_EQ(checkpoint.info.history.size(), 1u);
  EXPECT_EQ(checkpoint.info.history[0].at("step"), "import");
  EXPECT_EQ(checkpoint.info.history[0].at("sha256"), checkpoint.sha256);
  const auto before = pretrained.state_dict(), after = checkpoint.model->state_dict();
  EXPECT_EQ(after.at("features.18.0.weight").bytes, before.at("features.18.0.weight").bytes);
  EXPECT_EQ(after.at("classifier.1.weight").shape.to_string(), "[3,1280]");
}

TEST(StartingPoint, TheFileIsReadOnceAndAskedHowItWantsImages) {
  const TemporaryFolder folder;
  const std::string path = folder.file("pretrained.safetensors");
  ModelInfo info;
  info.classes.assign(7, "x");
  info.resize = Resize::pad;
  save_checkpoint(path, nn::Network(mobilenet_v2(0.25, 96, 7), 11), info);
  const StartingPoint point(path, {});
  EXPECT_EQ(point.input_size(), 96);
  EXPECT_EQ(point.resize(), Resize::pad);
  std::filesystem::remove(path);
  EXPECT_EQ(point.start(kClasses, [](const std::string&) {}).model->graph().classes(), 3);
}

TEST(StartingPoint, FilesThatAreNoWeightsAreRejected) {
  const TemporaryFolder folder;
  EXPECT_THROW(start(folder.file("missing.pth"), 0), FileError);
  write_file_atomically(folder.file("text.pth"), "these are no weights");
  EXPECT_THROW(start(folder.file("text.pth"), 0), FileError);
}

/// A pruned one of width 0.25 for 32x32 images, normalised in its own way.
std::string write_pruned(const TemporaryFolder& folder) {
  nn::Network model(mobilenet_v2(0.25, 32, 3), 0);
  apply_masks(make_masks(model, Method::magnitude, 0.5), model);
  ModelInfo info;
  info.classes = kClasses;
  info.mean = {0.1f, 0.2f, 0.3f};
  info.history.push_back({{"step", "prune"}, {"method", "magnitude"}});
  const std::string path = folder.file("pruned.safetensors");
  save_checkpoint(path, model, info);
  return path;
}

TEST(StartingPoint, AFilesSizeWidthNormalisationAndZerosAreKept) {
  const TemporaryFolder folder;
  const Checkpoint checkpoint = start(write_pruned(folder), 0);
  EXPECT_EQ(checkpoint.model->graph().width, 0.25);
  EXPECT_EQ(checkpoint.model->graph().input_size(), 32);
  EXPECT_EQ(checkpoint.info.mean[0], 0.1f);
  EXPECT_TRUE(checkpoint.info.is_pruned());
  std::string heard;
  const Masks masks = zeros_to_keep(checkpoint, [&](const std::string& line) { heard += line; });
  const ModelSummary summary = summarize(*checkpoint.model);
  const int64_t zeros = summary.prunable - summary.nonzero_prunable;
  EXPECT_EQ(zeros, std::llround(0.5 * double(summary.prunable)));
  EXPECT_EQ(testing::count_zeros(masks), zeros);
  EXPECT_THAT(heard, HasSubstr(fmt::format("{} of {} prunable weights", zeros, summary.prunable)));
}

TEST(StartingPoint, WhatWasNotPrunedKeepsNoZeros) {
  Checkpoint checkpoint = start("random", 1);
  checkpoint.model->convolutions()[2]->weight.value().fill(0);
  EXPECT_TRUE(zeros_to_keep(checkpoint, [](const std::string&) { FAIL(); }).empty());
}

TEST(StartingPoint, APrunedModelWithoutZerosHasNoneToSpeakOf) {
  Checkpoint compacted = start("random", 1);  // its channels are gone
  compacted.info.history.push_back({{"step", "prune"}, {"method", "channel"}, {"sparsity", 0.5}});
  ASSERT_TRUE(compacted.info.is_pruned());
  EXPECT_TRUE(zeros_to_keep(compacted, [](const std::string&) { FAIL(); }).empty());
}

TEST(StartingPoint, NormalisationIsTakenAsFarAsItIsGiven) {
  ModelInfo info;
  const std::array<float, 3> usual = info.std;
  TrainOptions options;
  take_normalisation(info, options);
  EXPECT_EQ(info.mean, ModelInfo().mean);
  options.mean = {0.5f, 0.25f, 0.125f};
  take_normalisation(info, options);
  EXPECT_EQ(info.mean, (std::array<float, 3>{0.5f, 0.25f, 0.125f}));
  EXPECT_EQ(info.std, usual);
}

TEST(StartingPoint, AnotherWidthIsRefusedAndAnotherSizeTaken) {
  const TemporaryFolder folder;
  const std::string path = write_pruned(folder);
  const auto silent = [](const std::string&) {};
  EXPECT_THAT(message_of<FileError>([&] { StartingPoint(path, {.width = 1.0}); }),
              HasSubstr("width 0.25? pass --width 0.25"));
  const Checkpoint large = StartingPoint(path, {.input_size = 96}).start(kClasses, silent);
  EXPECT_EQ(large.model->graph().input_size(), 96);
  const Checkpoint random =
      StartingPoint("random", {.width = 0.5, .input_size = 96}).start(kClasses, silent);
  EXPECT_EQ(random.model->graph().width, 0.5);
  EXPECT_EQ(random.model->graph().input_size(), 96);
}

}  // namespace
}  // namespace edgeprune
