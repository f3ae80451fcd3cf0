#include "tools/experiment/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/paths.h"
#include "tests/tools/experiment/small_run.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

/// A row of each kind, on as little as there can be.
StudyPlan tiny_plan() {
  StudyPlan plan{.name = "tiny", .steps = {}, .latency = {}};
  plan.steps = {
      {.id = "baseline", .parent = "", .method = {}, .epochs = 1},
      {"magnitude-exact-25", "baseline", Method::magnitude, "exact", 0.25, 1, false},
      {"magnitude-exact-50", "magnitude-exact-25", Method::magnitude, "exact", 0.5, 1, true},
      {"channel-one-shot-30", "baseline", Method::channel, "one-shot", 0.3, 1, true},
  };
  plan.finetune_images = 16;
  plan.test_images = 10;
  plan.batches = {1};
  plan.latency = {
      .seconds = 0, .min_samples = 1, .warmup_seconds = 0, .warmup_runs = 0, .min_sample_ms = 0};
  return plan;
}

/// All that a study says; thrown out of it after so many lines, as a kill would.
struct Listener {
  int lines_left = -1;
  std::vector<std::string> said{};
  void operator()(const std::string& line) {
    said.push_back(line);
    if (--lines_left == 0) throw std::runtime_error("killed");
  }
};

class StudyTest : public ::testing::Test {
 protected:
  StudyTest() {
    options_.data = "synthetic:32";
    options_.weights = "random";
    options_.folder = folder_.file("study");
    options_.training.batch = 16;
  }

  void run(const std::function<void(const std::string&)>& say = [](const std::string&) {}) {
    run_study(plan_, options_, say);
  }
  std::vector<RunRecord> rows() const { return read_records(options_.folder + "/runs.jsonl"); }
  std::string refusal() {
    return message_of<std::invalid_argument>([&] { run(); });
  }

  TemporaryFolder folder_;
  StudyPlan plan_ = tiny_plan();
  StudyOptions options_;
};

/// Without what differs between two runs of the same study: its clock.
std::string without_times(const RunRecord& record) {
  nlohmann::json json = record;
  for (const char* key : {"train_seconds", "latency"}) json.erase(key);
  return json.dump();
}

TEST_F(StudyTest, WritesARowForEveryStepThatHasOne) {
  run();
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].id, "baseline");
  EXPECT_EQ(records[1].id, "magnitude-exact-50");
  EXPECT_EQ(records[2].id, "channel-one-shot-30");
  for (const RunRecord& record : records) {
    EXPECT_EQ(record.test_images, 10 - 2) << "a quarter of 32";
    EXPECT_EQ(record.parameters, 2236682);
    EXPECT_EQ(record.prunable, 2202560);
    EXPECT_EQ(record.latency.size(), 2u) << "dense and sparse, batch 1, one thread";
    EXPECT_EQ(record.epochs, 1);
    EXPECT_GT(record.train_seconds, 0);
    EXPECT_EQ(record.checkpoint, "models/" + record.id + ".safetensors");
    const std::string model = options_.folder + "/" + record.checkpoint;
    EXPECT_EQ(record.sha256, sha256_of_file(model));
    EXPECT_EQ(record.file_bytes, int64_t(fs::file_size(model)));
  }
  EXPECT_EQ(records[0].nonzero_prunable, 2202560);
  EXPECT_EQ(records[0].accuracy_before, records[0].accuracy);
  EXPECT_EQ(records[1].nonzero_prunable, 1101280);
  EXPECT_EQ(records[1].method, "magnitude");
  EXPECT_EQ(records[1].schedule, "exact");
  EXPECT_EQ(records[1].target, 0.5);
  EXPECT_EQ(records[1].parent_sha256,
            sha256_of_file(options_.folder + "/models/magnitude-exact-25.safetensors"));
  EXPECT_EQ(records[2].parent_sha256, records[0].sha256);
  EXPECT_NEAR(records[2].prunable_sparsity(), 0.3, 0.01);
  for (const auto& entry : fs::directory_iterator(options_.folder + "/models")) {
    const std::string kind = entry.path().extension();
    EXPECT_TRUE(kind == ".safetensors" || kind == ".seconds") << "left behind: " << entry.path();
  }
}

TEST_F(StudyTest, KilledAtAnyLineItResumesToTheSameRows) {
  plan_.steps.erase(plan_.steps.begin() + 2);
  Listener undisturbed;
  run(std::ref(undisturbed));
  const std::vector<RunRecord> expected = rows();
  ASSERT_EQ(expected.size(), 2u);
  fs::remove_all(options_.folder);
  options_.resume = true;
  int kills = 0;
  for (bool finished = false; !finished;) {
    Listener listener{kills + 1};  // every run gets a line further
    try {
      run(std::ref(listener));
      finished = true;
    } catch (const std::runtime_error&) {
      ASSERT_LE(++kills, std::ssize(undisturbed.said));
    }
  }
  EXPECT_GE(kills, 4);
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(without_times(records[i]), without_times(expected[i]));
  }
}

TEST_F(StudyTest, AFinishedStudyIsNotRunAgain) {
  plan_.steps.resize(2);
  plan_.steps[1].row = true;
  run();
  const std::vector<char> before = read_file(options_.folder + "/runs.jsonl");
  options_.resume = true;
  Listener listener;
  run(std::ref(listener));
  EXPECT_EQ(read_file(options_.folder + "/runs.jsonl"), before);
  EXPECT_EQ(listener.said.size(), 2u);
  for (const std::string& line : listener.said) EXPECT_THAT(line, HasSubstr("finished before"));
}

TEST_F(StudyTest, ARowCutOffByACrashIsMeasuredAgain) {
  plan_.steps.resize(2);
  plan_.steps[1].row = true;
  run();
  const std::vector<RunRecord> expected = rows();
  const std::string path = options_.folder + "/runs.jsonl";
  const std::vector<char> text = read_file(path);
  write_file_atomically(path, std::string_view(text.data(), text.size() - 100));
  options_.resume = true;
  run();
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(without_times(records[1]), without_times(expected[1]));
  EXPECT_EQ(records[1].train_seconds, expected[1].train_seconds) << "it was not trained again";
}

TEST_F(StudyTest, AFolderThatHoldsAStudyIsRefusedUnlessResumed) {
  Listener killed{1};
  EXPECT_THROW(run(std::ref(killed)), std::runtime_error);
  EXPECT_THAT(refusal(), HasSubstr("--resume"));
}

TEST_F(StudyTest, OtherSettingsAreRefusedNamingWhatDiffers) {
  Listener killed{1};
  EXPECT_THROW(run(std::ref(killed)), std::runtime_error);
  options_.resume = true;
  const StudyOptions same = options_;
  const auto expect_refused = [&](const std::string& what, const auto& change) {
    options_ = same;
    change(options_);
    EXPECT_THAT(refusal(), HasSubstr("its " + what + " differs"));
  };
  expect_refused("seed", [](StudyOptions& o) { o.training.seed = 9; });
  expect_refused("batch", [](StudyOptions& o) { o.training.batch = 8; });
  expect_refused("learning rate", [](StudyOptions& o) { o.training.learning_rate = 0.1f; });
  expect_refused("learning rate schedule",
                 [](StudyOptions& o) { o.training.schedule = optim::Schedule::Kind::cosine; });
  expect_refused("optimizer", [](StudyOptions& o) { o.training.optimizer = "sgd"; });
  expect_refused("weight decay", [](StudyOptions& o) { o.training.weight_decay = 0.1f; });
  expect_refused("flip", [](StudyOptions& o) { o.training.augmentation.flip = false; });
  expect_refused("crop padding", [](StudyOptions& o) { o.training.augmentation.crop_padding = 2; });
  expect_refused("test data", [](StudyOptions& o) { o.data = "synthetic:36"; });
  options_ = same;
  plan_.steps.back().epochs = 2;
  EXPECT_THAT(refusal(), HasSubstr("its steps differs"));
}

TEST_F(StudyTest, ADamagedStudyFileIsAFileError) {
  fs::create_directories(options_.folder);
  write_file_atomically(options_.folder + "/study.json", "{");
  options_.resume = true;
  EXPECT_THROW(run(), FileError);
}

TEST_F(StudyTest, MissingDataAndWeightsAreErrors) {
  options_.data = folder_.file("nowhere");
  EXPECT_THROW(run(), FileError);
  options_.data = "synthetic:32";
  options_.weights = folder_.file("nowhere.pth");
  EXPECT_THROW(run(), FileError);
  EXPECT_FALSE(fs::exists(options_.folder + "/study.json"));
}

}  // namespace
}  // namespace edgeprune
