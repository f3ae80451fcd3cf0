#include "tools/study/study_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::message_of;

TEST(StudyFolder, TrainingComesBack) {
  const testing::TemporaryFolder temporary;
  StudyFolder folder(temporary.file("a/b"));
  const StepTraining training{.accuracy_before = 0.25,
                              .epochs = 2,
                              .seconds = 1.5,
                              .epochs_spent = 4,
                              .seconds_spent = 3.25,
                              .curve = {{1, 2.5, 0.125}, {2, 2, 0.5}},
                              .parent_sha256 = "ab"};
  folder.save_training("x", training);
  const StepTraining loaded = folder.load_training("x");
  EXPECT_EQ(loaded.accuracy_before, 0.25);
  EXPECT_EQ(loaded.epochs, 2);
  EXPECT_EQ(loaded.seconds, 1.5);
  EXPECT_EQ(loaded.epochs_spent, 4);
  EXPECT_EQ(loaded.seconds_spent, 3.25);
  ASSERT_EQ(loaded.curve.size(), 2u);
  EXPECT_EQ(loaded.curve[1].accuracy, 0.5);
  EXPECT_EQ(loaded.parent_sha256, "ab");
  EXPECT_THROW(folder.load_training("y"), FileError);
  write_file_atomically(temporary.file("a/b/models/x.json"), R"({"epochs": 2})");
  EXPECT_THAT(message_of<FileError>([&] { folder.load_training("x"); }), HasSubstr("damaged"));
}

TEST(StudyFolder, WhatAKillLeavesIsSweptAway) {
  const testing::TemporaryFolder temporary;
  const auto touch = [&](const std::string& name) {
    std::ofstream(temporary.file(name)) << "x";
    return temporary.file(name);
  };
  { const StudyFolder folder(temporary.path()); }
  const auto model = touch("models/.edgeprune-7-0.tmp"), study = touch(".edgeprune-123-4.tmp");
  for (const char* name : {"models/done.safetensors", "models/done.safetensors.state",
                           "models/half.safetensors.state"}) {
    touch(name);
  }
  StudyFolder folder(temporary.path());
  folder.save_training("done", {});
  EXPECT_FALSE(fs::exists(model));
  EXPECT_FALSE(fs::exists(study));
  EXPECT_TRUE(folder.has_model("done"));
  EXPECT_FALSE(folder.has_model("half"));
  EXPECT_TRUE(fs::exists(folder.state_path("half"))) << "it goes on from there";
  EXPECT_FALSE(fs::exists(folder.state_path("done")));
}

TEST(StudyFolder, WhatIsNotTheStudysStays) {
  const testing::TemporaryFolder temporary;
  fs::create_directory(temporary.file("models"));
  const std::vector<std::string> foreign = {"notes.tmp",
                                            "x.tmpl",
                                            "study.json.tmp7",
                                            "models/half.safetensors.tmp123",
                                            "models/mine.safetensors",
                                            "models/mine.safetensors.state"};
  for (const auto& name : foreign) std::ofstream(temporary.file(name)) << "kept";
  const StudyFolder folder(temporary.path());
  EXPECT_TRUE(folder.has_model("mine"));
  for (const auto& name : foreign) EXPECT_TRUE(fs::exists(temporary.file(name))) << name;
}

TEST(StudyFolder, IsOneStudys) {
  const testing::TemporaryFolder temporary;
  StudyFolder folder(temporary.path());
  folder.claim({{"plan", "a"}, {"seed", 3}}, false);
  EXPECT_NO_THROW(folder.claim({{"plan", "a"}, {"seed", 3}}, true));
  EXPECT_NO_THROW(folder.require_study({{"plan", "a"}}));
  EXPECT_NO_THROW(folder.claim({{"plan", "a"}, {"new", nullptr}, {"more", {}}}, true))
      << "begun before there was such a setting";
  const auto refusal = [&](const nlohmann::json& study, bool resume) {
    return message_of<std::invalid_argument>([&] { folder.claim(study, resume); });
  };
  EXPECT_THAT(refusal({{"plan", "a"}, {"seed", 3}}, false), HasSubstr("--resume"));
  EXPECT_THAT(refusal({{"plan", "a"}, {"seed", 4}}, true), HasSubstr("its seed differs"));
  EXPECT_THAT(refusal({{"plan", "a"}, {"seed", 3}, {"new", 1}}, true),
              HasSubstr("its new differs"));
  EXPECT_THROW(folder.require_study({{"plan", "b"}}), std::invalid_argument);
}

TEST(StudyFolder, ThatCannotBeMadeIsAFileError) {
  const testing::TemporaryFolder temporary;
  write_file_atomically(temporary.file("file"), "x");
  EXPECT_THAT(message_of<FileError>([&] { StudyFolder(temporary.file("file")); }),
              HasSubstr(temporary.file("file")));
}

}  // namespace
}  // namespace edgeprune
