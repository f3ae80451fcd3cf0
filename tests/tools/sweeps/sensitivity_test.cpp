#include "tools/sweeps/sensitivity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "pruning/scores.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_run.h"
#include "tools/measurement/evaluate.h"
#include "tools/training/recalibrate.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::TemporaryFolder;

/// A scan of a small network on 60 of 160 images.
struct SmallScan {
  explicit SmallScan(
      std::shared_ptr<const TemporaryFolder> in = std::make_shared<const TemporaryFolder>(),
      std::string log_name = "scan.jsonl")
      : folder(std::move(in)),
        name(std::move(log_name)),
        training(synthetic(160, Split::train, 0)) {
    checkpoint.model = std::make_unique<nn::Network>(mobilenet_v2(0.25, 32, 10), uint64_t{3});
    checkpoint.info.classes = training.classes;
    checkpoint.sha256 = "of the model";
    options.levels = {0.5};
    options.images = 60;
    options.bn_recalibrate = 16;
    options.latency = {.seconds = 0, .min_samples = 1, .warmup_seconds = 0, .warmup_runs = 1};
  }
  Sensitivity scan() { return scan_sensitivity(checkpoint, training, options, log()); }
  std::string log() const { return folder->file(name); }

  std::shared_ptr<const TemporaryFolder> folder;  // one a test: a second one would empty it
  std::string name;
  Dataset training;
  Checkpoint checkpoint;
  SensitivityOptions options;
};

int64_t lines_of(const std::string& path) {
  const std::vector<char> text = read_file(path);
  return std::count(text.begin(), text.end(), '\n');
}

TEST(Sensitivity, ACellIsTheNetworkWithThatLayerAlonePruned) {
  SmallScan small;
  const Sensitivity result = small.scan();
  const auto weights = prunable_weights(*small.checkpoint.model);
  ASSERT_EQ(result.layers.size(), weights.size()) << "the head, too";
  const size_t at = 7;
  EXPECT_EQ(result.layers[at].layer + ".weight", weights[at].name);

  auto parts = hold_out(small.training, 60, 0);
  const auto accuracy = [&, &others = parts.first, &held_out = parts.second] {
    recalibrate_batch_norm(*small.checkpoint.model, small.checkpoint.info, limit(others, 16, 0), 16,
                           0);
    return evaluate(*small.checkpoint.model, small.checkpoint.info, held_out,
                    inference::Engine::dense)
        .accuracy;
  };
  EXPECT_EQ(result.accuracy, accuracy()) << "nothing pruned";
  Tensor value = weights[at].variable.value();
  std::vector<float> sizes;
  for (const float w : value.values()) sizes.push_back(std::abs(w));
  std::sort(sizes.begin(), sizes.end());
  for (float& w : value.values()) {
    if (std::abs(w) < sizes[sizes.size() / 2]) w = 0;
  }
  const SensitivityCell& cell = result.layers[at].cells[0];
  EXPECT_EQ(cell.accuracy, accuracy());
  EXPECT_NEAR(cell.zeros, 0.5, 1e-9);
  EXPECT_GT(cell.dense_ms, 0);
  EXPECT_GT(cell.sparse_ms, 0);
  EXPECT_DOUBLE_EQ(result.lost(at, 0), 100 * (result.accuracy - cell.accuracy));
}

TEST(Sensitivity, LeavesTheModelAsItWas) {
  SmallScan small;
  const nn::Network untouched(small.checkpoint.model->graph(), 3);
  small.scan();
  EXPECT_TRUE(same_weights(*small.checkpoint.model, untouched));
}

TEST(Sensitivity, ChannelsAreOfConvolutionsAlone) {
  const SmallScan small;
  for (const Method method : {Method::channel, Method::channel_taylor}) {
    SmallScan one(small.folder, to_string(method));
    one.options.method = method;
    const Sensitivity result = one.scan();
    EXPECT_EQ(result.layers.size(), prunable_weights(*one.checkpoint.model).size() - 1);
    for (const LayerSensitivity& layer : result.layers) {
      EXPECT_NEAR(layer.cells[0].zeros, 0.5, 1e-9) << layer.layer;
    }
  }
}

TEST(Sensitivity, LampOrdersALayerAsMagnitudeDoes) {
  SmallScan magnitude, lamp(magnitude.folder, "lamp");
  lamp.options.method = Method::lamp;
  const Sensitivity left = magnitude.scan(), right = lamp.scan();
  for (size_t i = 0; i < left.layers.size(); ++i) {
    EXPECT_EQ(left.layers[i].cells[0].accuracy, right.layers[i].cells[0].accuracy) << i;
  }
}

TEST(Sensitivity, TaylorZeroesWhatThePruningOfTheWholeNetworkScoresLeast) {
  SmallScan small;
  small.options.method = Method::taylor;
  small.options.score_images = 40;
  const Sensitivity result = small.scan();
  nn::Network& model = *small.checkpoint.model;
  const auto parts = hold_out(small.training, 60, 0);
  const Samples samples =
      score_samples(Method::taylor, small.checkpoint.info, parts.first, 40, small.options.seed);
  const size_t at = 7;
  const Scores all = scores(weights_of(model), Method::taylor,
                            [&](const auto& after_batch) { samples(model, after_batch); });
  std::vector<double> sorted = all[at];
  std::sort(sorted.begin(), sorted.end());
  Tensor weight = prunable_weights(model)[at].variable.value();
  for (int64_t i = 0; i < weight.count(); ++i) {
    if (all[at][size_t(i)] < sorted[sorted.size() / 2]) weight.data()[i] = 0;
  }
  recalibrate_batch_norm(model, small.checkpoint.info, limit(parts.first, 16, 0), 16, 0);
  EXPECT_EQ(
      result.layers[at].cells[0].accuracy,
      evaluate(model, small.checkpoint.info, parts.second, inference::Engine::dense).accuracy);
}

TEST(Sensitivity, AScanThatWasKilledGoesOnAndEndsTheSame) {
  SmallScan undisturbed, killed(undisturbed.folder, "killed.jsonl");
  const Sensitivity expected = undisturbed.scan();
  killed.scan();
  const int64_t lines = lines_of(killed.log());
  // What a kill leaves: the first lines, and a half one.
  std::ifstream whole(killed.log());
  std::string text, line;
  for (int64_t i = 0; i < lines - 20; ++i) {
    std::getline(whole, line);
    text += line + '\n';
  }
  write_file_atomically(killed.log(), text + line.substr(0, line.size() / 2));
  const Sensitivity result = killed.scan();
  EXPECT_EQ(lines_of(killed.log()), lines + 1) << "the half line, closed off";
  ASSERT_EQ(result.layers.size(), expected.layers.size());
  for (size_t i = 0; i < result.layers.size(); ++i) {
    EXPECT_EQ(result.layers[i].cells[0].accuracy, expected.layers[i].cells[0].accuracy);
  }
  killed.scan();
  EXPECT_EQ(lines_of(killed.log()), lines + 1) << "there was nothing left to do";
}

TEST(Sensitivity, CtrlCKeepsWhatIsKnown) {
  SmallScan small;
  const nn::Network untouched(small.checkpoint.model->graph(), 3);
  {
    const InterruptGuard guard;
    ::raise(SIGINT);
    EXPECT_THROW(small.scan(), Interrupted);
  }
  EXPECT_TRUE(same_weights(*small.checkpoint.model, untouched));
  EXPECT_NO_THROW(small.scan());
}

TEST(Sensitivity, WhatWasPrunedFurtherBeforeHasNoAccuracy) {
  SmallScan small;
  auto weights = prunable_weights(*small.checkpoint.model);
  const auto values = weights[4].variable.value().values();
  std::fill_n(values.begin(), values.size() * 3 / 4, 0.0f);
  const Sensitivity result = small.scan();
  EXPECT_TRUE(std::isnan(result.layers[4].cells[0].accuracy));
  EXPECT_TRUE(std::isnan(result.lost(4, 0)));
  EXPECT_NEAR(result.layers[4].cells[0].zeros, 0.75, 0.01);
  EXPECT_FALSE(std::isnan(result.layers[5].cells[0].accuracy));
}

TEST(Sensitivity, AnotherScansLogIsRefusedNamingWhatDiffers) {
  SmallScan small;
  small.scan();
  const auto refused = [&](const std::string& what, const auto& change) {
    SmallScan other(small.folder);
    change(other);
    EXPECT_THAT(message_of<std::invalid_argument>([&] {
                  scan_sensitivity(other.checkpoint, other.training, other.options, small.log());
                }),
                HasSubstr("is of another scan: " + what + " differs"));
  };
  refused("model", [](SmallScan& s) { s.checkpoint.sha256 = "another"; });
  refused("method", [](SmallScan& s) { s.options.method = Method::channel; });
  refused("images", [](SmallScan& s) { ++s.options.images; });
  refused("batch-norm recalibration", [](SmallScan& s) { ++s.options.bn_recalibrate; });
  refused("seed", [](SmallScan& s) { ++s.options.seed; });
  small.options.method = Method::taylor;
  std::filesystem::remove(small.log());
  small.scan();
  refused("images for scores", [](SmallScan& s) {
    s.options.method = Method::taylor;
    s.options.score_images = 7;
  });
  refused("data", [](SmallScan& s) { s.training.images[3].rgb[0] ^= 1; });
}

TEST(Sensitivity, OptionsOutOfRangeAreRefused) {
  const auto error_with = [](const auto& change) {
    SmallScan small;
    change(small);
    const std::string message = message_of<std::invalid_argument>([&] { small.scan(); });
    EXPECT_FALSE(std::filesystem::exists(small.log()));
    return message;
  };
  EXPECT_THAT(error_with([](SmallScan& s) { s.options.levels = {}; }), HasSubstr("no levels"));
  for (const double level : {0.0, 1.0, -0.5, std::nan("")}) {
    EXPECT_THAT(error_with([&](SmallScan& s) {
                  s.options.levels = {0.5, level};
                }),
                HasSubstr("between 0 and 1"));
  }
  EXPECT_THAT(error_with([](SmallScan& s) { s.options.images = 160; }),
              HasSubstr("cannot hold 160 of 160"));
  EXPECT_THAT(error_with([](SmallScan& s) { s.checkpoint.info.classes[0] = "x"; }),
              HasSubstr("class 0"));
}

}  // namespace
}  // namespace edgeprune
