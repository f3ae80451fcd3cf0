#include "tools/training/starting_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/file.h"
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
  return start_from_weights(weights, kClasses, seed, [&](const std::string& line) {
    if (heard != nullptr) *heard += line + "\n";
  });
}

TEST(StartingPoint, RandomWeightsComeFromTheSeed) {
  const Checkpoint a = start("random", 1), again = start("random", 1), other = start("random", 2);
  EXPECT_TRUE(same_weights(*a.model, *again.model));
  EXPECT_FALSE(same_weights(*a.model, *other.model));
  EXPECT_EQ(a.model->architecture().classes, 3);
  EXPECT_EQ(a.model->architecture().input_size, 64);
  EXPECT_EQ(a.info.classes, kClasses);
  EXPECT_EQ(a.info.history.dump(), R"([{"seed":1,"step":"random"}])");
  EXPECT_EQ(a.sha256, "");
}

TEST(StartingPoint, FilesKeepTheBodyAndReplaceAHeadForOtherClasses) {
  const TemporaryFolder folder;
  const std::string path = folder.file("pretrained.safetensors");
  const MobileNetV2 pretrained(Architecture::mobilenet_v2(1.0, 64, 7), 11);
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

TEST(StartingPoint, FilesThatAreNoWeightsAreRejected) {
  const TemporaryFolder folder;
  EXPECT_THROW(start(folder.file("missing.pth"), 0), FileError);
  write_file_atomically(folder.file("text.pth"), "these are no weights");
  EXPECT_THROW(start(folder.file("text.pth"), 0), FileError);
  const std::string narrow = folder.file("narrow.safetensors");
  ModelInfo info;
  info.classes = kClasses;
  save_checkpoint(narrow, MobileNetV2(Architecture::mobilenet_v2(0.25, 64, 3), 0), info);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { start(narrow, 0); }),
              HasSubstr("features.0.0.weight"));
}

}  // namespace
}  // namespace edgeprune
