#include "tools/study/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/file_lock.h"
#include "engine/base/json.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/tools/study/small_study.h"
#include "tools/measurement/machine.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using testing::experiment;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;
using testing::without_times;
using StudyTest = testing::SmallStudy;

/// All that a study says; thrown out of it after so many lines, as a kill would.
struct Listener {
  int lines_left = -1;
  std::vector<std::string> said{};
  void operator()(const std::string& line) {
    said.push_back(line);
    if (--lines_left == 0) throw std::runtime_error("killed");
  }
};

TEST_F(StudyTest, WritesARowForEveryStepThatHasOne) {
  options_.width = 1;
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
    for (const LatencyCell& cell : record.latency) {
      EXPECT_GE(cell.factor.value().rounds, 5) << "in turns with the unpruned network";
      EXPECT_LE(cell.factor->low, cell.factor->median);
      EXPECT_TRUE(cell.load);
    }
    EXPECT_EQ(record.epochs, 1);
    EXPECT_GT(record.train_seconds, 0);
    EXPECT_EQ(record.checkpoint, "models/" + record.id + ".safetensors");
    const std::string model = options_.folder + "/" + record.checkpoint;
    EXPECT_EQ(record.sha256, sha256_of_file(model));
    EXPECT_EQ(record.file_bytes, int64_t(fs::file_size(model)));
    EXPECT_EQ(record.row, record.id);
    EXPECT_EQ(record.correct.size(), 2u) << "eight images";
    ASSERT_TRUE(record.worst_class);
    EXPECT_LE(record.worst_class->recall, record.accuracy);
    EXPECT_EQ(std::ssize(record.curve), record.epochs_spent);
  }
  EXPECT_EQ(records[0].nonzero_prunable, 2202560);
  EXPECT_EQ(records[0].accuracy_before, records[0].accuracy);
  EXPECT_EQ(records[0].method + records[0].mode + records[0].schedule, "nonenonenone");
  EXPECT_EQ(records[0].epochs_spent, 1);
  EXPECT_NEAR(double(records[0].sparse_file_bytes), double(records[0].file_bytes), 1000);
  EXPECT_EQ(records[1].nonzero_prunable, 1101280);
  EXPECT_EQ(records[1].method, "magnitude");
  EXPECT_EQ(records[1].schedule, "exact");
  EXPECT_EQ(records[1].target, 0.5);
  EXPECT_EQ(records[1].mode, "mask");
  EXPECT_EQ(records[1].epochs_spent, 2) << "an epoch at 25 %, one at 50 %";
  EXPECT_GT(records[1].seconds_spent, records[1].train_seconds);
  EXPECT_EQ(records[1].curve[1].epoch, 2);
  EXPECT_LT(records[1].sparse_file_bytes, 0.6 * double(records[1].file_bytes));
  EXPECT_EQ(records[1].parent_sha256,
            sha256_of_file(options_.folder + "/models/magnitude-exact-25.safetensors"));
  EXPECT_EQ(records[2].parent_sha256, records[0].sha256);
  EXPECT_NEAR(records[2].prunable_sparsity(), 0.3, 0.01);
  for (const auto& entry : fs::directory_iterator(options_.folder + "/models")) {
    const std::string kind = entry.path().extension();
    EXPECT_TRUE(kind == ".safetensors" || kind == ".json") << "left behind: " << entry.path();
  }
}

TEST_F(StudyTest, KilledAtAnyLineItResumesToTheSameRows) {
  plan_.experiments = {experiment(Method::channel, PruningSchedule::compounding, 0.5)};
  plan_.experiments[0].mode = PruneMode::compact;
  Listener undisturbed;
  run(std::ref(undisturbed));
  const std::vector<RunRecord> expected = rows();
  ASSERT_EQ(expected.size(), 2u);
  fs::remove_all(options_.folder);
  options_.resume = true;
  // Killed at every line that no run before has said (speeds aside).
  std::set<std::string> heard;
  const auto kill_at_news = [&](const std::string& line) {
    if (heard.insert(line.substr(0, line.rfind(", "))).second) throw std::runtime_error("killed");
  };
  const auto lines = std::ssize(undisturbed.said);
  int kills = 0;
  for (bool finished = false; !finished;) {
    try {
      run(kill_at_news);
      finished = true;
    } catch (const std::runtime_error&) {
      ASSERT_LE(++kills, 2 * lines);
    }
  }
  EXPECT_GE(kills, lines);
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(without_times(records[i]), without_times(expected[i]));
  }
}

TEST_F(StudyTest, AFinishedStudyIsNotRunAgain) {
  plan_.experiments.erase(plan_.experiments.begin());
  run();
  const std::vector<char> before = read_file(options_.folder + "/runs.jsonl");
  options_.resume = true;
  Listener listener;
  run(std::ref(listener));
  EXPECT_EQ(read_file(options_.folder + "/runs.jsonl"), before);
  EXPECT_EQ(listener.said.size(), 2u);
  for (const std::string& line : listener.said) EXPECT_THAT(line, HasSubstr("finished before"));
  fs::remove_all(options_.folder + "/models");
  run();
  EXPECT_TRUE(fs::is_empty(options_.folder + "/models")) << "trained again";
}

TEST_F(StudyTest, ARowCutOffByACrashIsMeasuredAgain) {
  plan_.experiments.erase(plan_.experiments.begin());
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

TEST_F(StudyTest, ABaselineThatOthersNeedIsMadeAgain) {
  run();
  const std::vector<RunRecord> expected = rows();
  write_records(options_.folder + "/runs.jsonl",
                {expected[0], expected[1]});  // the last one's row is to come
  fs::remove(options_.folder + "/models/baseline.safetensors");
  options_.resume = true;
  Listener listener;
  run(std::ref(listener));
  EXPECT_THAT(listener.said, ::testing::Contains(HasSubstr("baseline: its checkpoint is gone")));
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), expected.size());
  for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i].sha256, expected[i].sha256);
  EXPECT_TRUE(fs::exists(options_.folder + "/models/baseline.safetensors"));
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
  expect_refused("seed", [](StudyOptions& o) { o.seeds = {9}; });
  expect_refused("test data", [](StudyOptions& o) { o.data = "synthetic:36"; });
  expect_refused("width", [](StudyOptions& o) { o.width = 1; });
  options_ = same;
  const StudyPlan tiny = plan_;
  const auto expect_plan_refused = [&](const std::string& what, const auto& change) {
    plan_ = tiny;
    change(plan_);
    EXPECT_THAT(refusal(), HasSubstr("its " + what + " differs"));
  };
  expect_plan_refused("network", [](StudyPlan& p) { p.network = "mobilenet_v2"; });
  expect_plan_refused("batch", [](StudyPlan& p) { p.training.batch = 8; });
  expect_plan_refused("learning rate", [](StudyPlan& p) { p.training.learning_rate = 0.1f; });
  expect_plan_refused("learning rate schedule",
                      [](StudyPlan& p) { p.training.schedule = optim::Schedule::Kind::cosine; });
  expect_plan_refused("optimizer", [](StudyPlan& p) { p.training.optimizer = "sgd"; });
  expect_plan_refused("weight decay", [](StudyPlan& p) { p.training.weight_decay = 0.1f; });
  expect_plan_refused("flip", [](StudyPlan& p) { p.training.augmentation.flip = false; });
  expect_plan_refused("crop padding",
                      [](StudyPlan& p) { p.training.augmentation.crop_padding = 2; });
  expect_plan_refused("refinements", [](StudyPlan& p) { p.training.label_smoothing = 0.1f; });
  expect_plan_refused("refinements", [](StudyPlan& p) { p.training.augmentation.rotation = 5; });
  expect_plan_refused("steps", [](StudyPlan& p) { p.experiments.back().epochs = 2; });
  expect_plan_refused("steps", [](StudyPlan& p) { p.experiments.back().recovery.rewind = true; });
  expect_plan_refused("latency", [](StudyPlan& p) { p.batches = {2}; });
  expect_plan_refused("plan", [](StudyPlan& p) { p.name = "other"; });
}

TEST_F(StudyTest, CompactRowsCountByTheUnprunedNetwork) {
  plan_.experiments = {experiment(Method::channel, PruningSchedule::exact, 0.5)};
  plan_.experiments[0].mode = PruneMode::compact;
  run();
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 2u);
  const RunRecord &dense = records[0], &compact = records[1];
  EXPECT_EQ(compact.id, "channel-compact-exact-50");
  EXPECT_EQ(compact.mode, "compact");
  EXPECT_EQ(compact.parameters, dense.parameters);
  EXPECT_EQ(compact.prunable, dense.prunable);
  EXPECT_EQ(compact.multiply_adds, dense.multiply_adds);
  EXPECT_EQ(dense.stored_parameters, dense.parameters);
  EXPECT_LT(compact.stored_parameters, 0.4 * double(dense.parameters));
  EXPECT_GE(compact.stored_parameters, compact.nonzero_parameters);
  EXPECT_LT(compact.nonzero_multiply_adds, 0.4 * double(dense.multiply_adds));
  EXPECT_LT(compact.file_bytes, 0.5 * double(dense.file_bytes));
  ASSERT_EQ(compact.layers.size(), dense.layers.size());
  int64_t prunable = 0, nonzero = 0;
  for (size_t i = 0; i < dense.layers.size(); ++i) {
    EXPECT_EQ(compact.layers[i].name, dense.layers[i].name);
    EXPECT_EQ(compact.layers[i].parameters, dense.layers[i].parameters);
    EXPECT_EQ(compact.layers[i].multiply_adds, dense.layers[i].multiply_adds);
    EXPECT_LT(compact.layers[i].nonzeros, dense.layers[i].nonzeros) << dense.layers[i].name;
    prunable += compact.layers[i].parameters;
    nonzero += compact.layers[i].nonzeros;
  }
  EXPECT_EQ(prunable, compact.prunable);
  EXPECT_EQ(nonzero, compact.nonzero_prunable);
}

TEST_F(StudyTest, SeedsRepeatEverythingAndCanBeAddedLater) {
  plan_.experiments.erase(plan_.experiments.begin());
  run();
  const std::vector<char> first = read_file(options_.folder + "/runs.jsonl");
  options_.resume = true;
  options_.seeds = {0, 3};
  run();
  const std::vector<char> both = read_file(options_.folder + "/runs.jsonl");
  ASSERT_GT(both.size(), first.size());
  EXPECT_TRUE(std::equal(first.begin(), first.end(), both.begin())) << "nothing is run again";
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[2].id, "baseline.seed3");
  EXPECT_EQ(records[2].row, "baseline");
  EXPECT_EQ(records[3].id, "channel-one-shot-30.seed3");
  EXPECT_EQ(records[3].row, records[1].row);
  EXPECT_EQ(records[3].parent_sha256, records[2].sha256);
  EXPECT_EQ(records[1].seed, 0u);
  EXPECT_EQ(records[3].seed, 3u);
  EXPECT_NE(records[2].sha256, records[0].sha256);
}

TEST_F(StudyTest, RecoveryIsDoneAndRecorded) {
  plan_.experiments = {experiment(Method::magnitude, PruningSchedule::one_shot, 0.9)};
  plan_.experiments.push_back(plan_.experiments[0]);
  plan_.experiments[1].label = "helped";
  plan_.experiments[1].limits = {.keep = {"classifier.1"}, .min_density = 0.01};
  plan_.experiments[1].recovery.bn_recalibrate = 16;
  plan_.experiments[1].recovery.distillation = Distillation{2, 0.9f};
  run();
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].recovery, "");
  EXPECT_EQ(records[2].id, "magnitude-one-shot-helped-90");
  EXPECT_EQ(records[2].recovery, "bn-recalibrate 16, distill 2,0.9");
  EXPECT_EQ(records[1].limits, "");
  EXPECT_EQ(records[2].limits, "keep classifier.1, min-density 0.01");
  EXPECT_NE(records[2].curve[0].loss, records[1].curve[0].loss) << "another loss";
  EXPECT_EQ(records[2].layers.back().nonzeros, records[2].layers.back().parameters) << "kept";
}

TEST_F(StudyTest, TwoAtOnceInOneFolderAreRefused) {
  fs::create_directories(options_.folder);
  {
    const FileLock other(options_.folder + "/lock");
    EXPECT_THAT(message_of<FileError>([&] { run(); }), HasSubstr("is at work here"));
    EXPECT_FALSE(fs::exists(options_.folder + "/study.json"));
  }
  plan_.experiments.clear();
  EXPECT_NO_THROW(run());
}

TEST_F(StudyTest, MeasuredAnewOnlyTheTimesChange) {
  plan_.experiments.erase(plan_.experiments.begin());
  run();
  std::vector<RunRecord> expected = rows();
  for (RunRecord& record : expected) record.commit = record.trained_commit = "an older binary";
  write_records(options_.folder + "/runs.jsonl", expected);
  EXPECT_THROW(remeasure_study(plan_, options_, Listener{1}), std::runtime_error);
  EXPECT_EQ(nlohmann::json(rows()), nlohmann::json(expected)) << "killed, all is as it was";
  remeasure_study(plan_, options_, Listener{});
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), expected.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].commit, build_commit());
    expected[i].commit = records[i].commit;
    EXPECT_EQ(without_times(records[i]), without_times(expected[i]));
    EXPECT_EQ(records[i].train_seconds, expected[i].train_seconds);
    ASSERT_EQ(records[i].latency.size(), 2u);
    EXPECT_EQ(records[i].latency[1].engine, "sparse");
    EXPECT_TRUE(records[i].latency[1].factor);
    EXPECT_NE(records[i].latency[0].median, expected[i].latency[0].median);
  }
  const std::string baseline = options_.folder + "/models/baseline.safetensors";
  fs::copy_file(baseline, options_.folder + "/models/" + records[1].id + ".safetensors",
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(message_of<FileError>([&] { remeasure_study(plan_, options_, Listener{}); }),
              HasSubstr("is not the checkpoint that row " + records[1].id + " has on record"));
  fs::remove(baseline);
  EXPECT_THAT(message_of<FileError>([&] { remeasure_study(plan_, options_, Listener{}); }),
              HasSubstr("baseline.safetensors: is gone"));
  plan_.batches = {2};
  EXPECT_THROW(remeasure_study(plan_, options_, Listener{}), std::invalid_argument);
  options_.folder = folder_.file("nowhere");
  EXPECT_THROW(remeasure_study(plan_, options_, Listener{}), FileError);
  EXPECT_FALSE(fs::exists(options_.folder));
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
