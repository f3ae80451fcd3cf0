#include "tools/study/records.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "tests/support/paths.h"
#include "tests/support/sample_records.h"
#include "tests/support/sanitizers.h"

namespace edgeprune {
namespace {

using testing::sample_run;
using testing::TemporaryFolder;

std::string text_of(const RunRecord& record) {
  return nlohmann::json(record).dump();
}

void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string error_of(const std::string& path) {
  try {
    read_records(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Records, RoundTripIsExact) {
  const TemporaryFolder folder;
  const std::string path = folder.file("runs.jsonl");
  RunRecord odd = sample_run("magnitude", "exact", 0.1, 1.0 / 3);
  odd.id = "quotes \" and \\ and ü and\nnew line";
  odd.seed = std::numeric_limits<uint64_t>::max();
  odd.parameters = std::numeric_limits<int64_t>::max();
  odd.target = std::nextafter(0.1, 1);
  odd.loss = std::numeric_limits<double>::denorm_min();
  odd.latency[0].median = 0.1 + 0.2;
  odd.latency[1].max = std::numeric_limits<double>::max();
  RunRecord bare;
  append_record(path, odd);
  append_record(path, bare);

  const std::vector<RunRecord> read = read_records(path);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(text_of(read[0]), text_of(odd));
  EXPECT_EQ(read[0].id, odd.id);
  EXPECT_EQ(read[0].seed, odd.seed);
  EXPECT_EQ(read[0].parameters, odd.parameters);
  EXPECT_EQ(read[0].target, odd.target);
  EXPECT_EQ(read[0].loss, odd.loss);
  ASSERT_EQ(read[0].latency.size(), odd.latency.size());
  EXPECT_EQ(read[0].latency[0].median, 0.1 + 0.2);
  EXPECT_EQ(read[0].latency[1].max, odd.latency[1].max);
  EXPECT_EQ(read[0].latency[1].engine, odd.latency[1].engine);
  EXPECT_TRUE(read[1].latency.empty());
}

TEST(Records, EveryFieldIsRequired) {
  const nlohmann::json whole = sample_run("channel", "one-shot", 0.5, 0.9);
  for (const auto& [key, value] : whole.items()) {
    nlohmann::json part = whole;
    part.erase(key);
    EXPECT_THROW(part.get<RunRecord>(), nlohmann::json::exception) << key;
  }
  for (const char* list : {"latency", "curve", "layers"}) {
    for (const auto& [key, value] : whole[list][0].items()) {
      if (key == "factor" || key == "load") continue;  // may be missing
      nlohmann::json part = whole;
      part[list][0].erase(key);
      EXPECT_THROW(part.get<RunRecord>(), nlohmann::json::exception) << list << "." << key;
    }
  }
}

// Records of before times were taken in turns with the unpruned network.
TEST(Records, WithoutFactorsTheyStillLoad) {
  nlohmann::json old = sample_run("channel", "one-shot", 0.5, 0.9);
  for (nlohmann::json& cell : old["latency"]) {
    EXPECT_EQ(cell.erase("factor") + cell.erase("load"), 2u);
  }
  const auto record = old.get<RunRecord>();
  ASSERT_EQ(record.latency.size(), 8u);
  EXPECT_FALSE(record.latency[3].factor || record.latency[3].load);
  EXPECT_EQ(nlohmann::json(record), old);
}

TEST(Records, TheWorstClassIsKeptAndMayBeMissing) {
  RunRecord run = sample_run("channel", "one-shot", 0.5, 0.9);
  EXPECT_FALSE(nlohmann::json(run).get<RunRecord>().worst_class) << "a record from before";
  run.worst_class = {"défaut", 1.0 / 3};
  const nlohmann::json json = run;
  EXPECT_EQ(json.get<RunRecord>().worst_class->name, "défaut");
  EXPECT_EQ(json.get<RunRecord>().worst_class->recall, 1.0 / 3);
  for (const char* key : {"name", "recall"}) {
    nlohmann::json part = json;
    part["worst_class"].erase(key);
    EXPECT_THROW(part.get<RunRecord>(), nlohmann::json::exception) << key;
  }
}

TEST(Records, IntegersAndWhatTheyCostAreKeptAndMayBeMissing) {
  RunRecord run = sample_run("channel", "one-shot", 0.5, 0.9);
  EXPECT_FALSE(nlohmann::json(run).contains("quantization")) << "as in records of before";
  EXPECT_FALSE(nlohmann::json(run).get<RunRecord>().is_quantized());
  run.quantization = "ptq";
  run.latency[0].integer_factor = Factor{{1.1, 1.0 / 3, 2}, 17};
  run.latency[0].cpu_ms = 1.0 / 7;
  run.latency[0].joules = 1e-3;
  const auto read = nlohmann::json(run).get<RunRecord>();
  EXPECT_EQ(nlohmann::json(read), nlohmann::json(run));
  EXPECT_EQ(read.quantization, "ptq");
  EXPECT_EQ(read.latency[0].integer_factor->low, 1.0 / 3);
  EXPECT_EQ(read.latency[0].integer_factor->rounds, 17);
  EXPECT_EQ(read.latency[0].cpu_ms, 1.0 / 7);
  EXPECT_EQ(read.latency[0].joules, 1e-3);
  EXPECT_FALSE(read.latency[1].integer_factor || read.latency[1].cpu_ms || read.latency[1].joules);
}

TEST(Records, FactorsAndLoadsAreKept) {
  RunRecord run = sample_run("channel", "one-shot", 0.5, 0.9);
  run.latency[1].factor = Factor{{1.1, 1.0 / 3, 2}, 17};
  run.latency[1].load = Load{0.1 + 0.2, {}, 5, 2};
  const auto read = nlohmann::json::parse(text_of(run)).get<RunRecord>();
  EXPECT_EQ(read.latency[1].factor->median, 1.1);
  EXPECT_EQ(read.latency[1].factor->low, 1.0 / 3);
  EXPECT_EQ(read.latency[1].factor->high, 2);
  EXPECT_EQ(read.latency[1].factor->rounds, 17);
  EXPECT_EQ(read.latency[1].load->others, 0.1 + 0.2);
  EXPECT_FALSE(read.latency[1].load->stolen) << "the kernel did not say";
  EXPECT_EQ(read.latency[1].load->switches, 5);
  EXPECT_EQ(read.latency[1].load->processors, 2);
  const nlohmann::json whole = run;
  for (const char* key : {"factor", "load"}) {
    for (const auto& [name, value] : whole.at("latency").at(1).at(key).items()) {
      nlohmann::json part = whole;
      part["latency"][1][key].erase(name);
      EXPECT_THROW(part.get<RunRecord>(), nlohmann::json::exception) << key << "." << name;
    }
  }
}

TEST(Records, SurplusFieldsAreIgnored) {
  nlohmann::json json = sample_run("channel", "one-shot", 0.5, 0.9);
  json["of_a_later_version"] = {1, 2};
  EXPECT_EQ(json.get<RunRecord>().id, "channel-one-shot-50");
}

TEST(Records, SparsityIsOverAllParameters) {
  const RunRecord run = sample_run("magnitude", "one-shot", 0.5, 0.9);
  EXPECT_DOUBLE_EQ(run.sparsity(), 1101280.0 / 2236682);
  EXPECT_DOUBLE_EQ(run.prunable_sparsity(), 0.5);
  EXPECT_DOUBLE_EQ(run.multiply_adds_removed(), 0.4);
  EXPECT_EQ(RunRecord().sparsity(), 0);
}

TEST(Records, ALineCutAnywhereIsLeftOutAndTheStudyGoesOn) {
  const TemporaryFolder folder;
  const std::string path = folder.file("runs.jsonl");
  RunRecord second = sample_run("magnitude", "one-shot", 0.5, 0.9);
  second.id = "two \"ü\"";
  const std::string first = text_of(sample_run("none", "none", 0, 0.9));
  const std::string cut = text_of(second);
  // Every place takes 20 seconds under the sanitizers: every third there.
  for (size_t length = 1; length < cut.size(); length += testing::kSanitized ? 3 : 1) {
    write(path, first + "\n" + cut.substr(0, length));
    ASSERT_EQ(read_records(path).size(), 1u) << cut.substr(0, length);
    if (length % 40 != 1) continue;  // appending waits for the disk
    append_record(path, second);
    const std::vector<RunRecord> read = read_records(path);
    ASSERT_EQ(read.size(), 2u) << cut.substr(0, length);
    EXPECT_EQ(read[1].id, second.id);
  }
}

TEST(Records, AWholeLastLineCountsEvenWithoutItsNewline) {
  const TemporaryFolder folder;
  const std::string path = folder.file("runs.jsonl");
  write(path, text_of(sample_run("none", "none", 0, 0.9)));
  EXPECT_EQ(read_records(path).size(), 1u);
}

TEST(Records, EmptyFileAndBlankLinesHoldNoRecords) {
  const TemporaryFolder folder;
  write(folder.file("empty"), "");
  EXPECT_TRUE(read_records(folder.file("empty")).empty());
  write(folder.file("blank"), "\n \r\n\n");
  EXPECT_TRUE(read_records(folder.file("blank")).empty());
}

TEST(Records, ForeignLinesAreAnErrorThatNamesTheLine) {
  const TemporaryFolder folder;
  const std::string path = folder.file("runs.jsonl");
  const std::string good = text_of(sample_run("none", "none", 0, 0.9)) + "\n";
  nlohmann::json wrong_type = sample_run("none", "none", 0, 0.9);
  wrong_type["accuracy"] = "high";
  nlohmann::json wrong_nested = sample_run("none", "none", 0, 0.9);
  wrong_nested["latency"] = {{"dense", 1}};
  for (const std::string& bad :
       {std::string("hello"), std::string("{}"), std::string("[1,2]"), std::string("7"),
        std::string("{\"id\": \"x\"} trailing"),
        std::string("\x7f"
                    "ELF\x01\x02\0\0",
                    8),
        std::string("[[[["), R"({"id": )" + std::string(1'000'000, '['), wrong_type.dump(),
        wrong_nested.dump(), "x" + good.substr(0, 50)}) {
    write(path, good + bad + "\n" + good);
    const std::string message = error_of(path);
    EXPECT_EQ(message.rfind(path + ": line 2 is no record of a run", 0), 0u) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Records, MissingFileIsAFileError) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of(folder.file("nowhere.jsonl")).find("nowhere.jsonl"), std::string::npos);
}

TEST(Records, WhatJsonCannotHoldIsRefusedBeforeItSpoilsTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder.file("runs.jsonl");
  append_record(path, sample_run("none", "none", 0, 0.9));
  RunRecord not_a_number = sample_run("magnitude", "one-shot", 0.5, 0.9);
  not_a_number.loss = std::nan("");
  EXPECT_THROW(append_record(path, not_a_number), std::invalid_argument);
  RunRecord infinite = sample_run("magnitude", "one-shot", 0.5, 0.9);
  infinite.latency[2].p99 = INFINITY;
  EXPECT_THROW(append_record(path, infinite), std::invalid_argument);
  RunRecord not_utf8 = sample_run("magnitude", "one-shot", 0.5, 0.9);
  not_utf8.cpu = "\xff";
  EXPECT_THROW(append_record(path, not_utf8), std::invalid_argument);
  EXPECT_EQ(read_records(path).size(), 1u);
}

TEST(Records, AreReplacedAllAtOnce) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("runs.jsonl");
  const std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                       sample_run("channel", "exact", 0.3, 0.8)};
  append_record(path, sample_run("magnitude", "exact", 0.3, 0.7));
  write_records(path, runs);
  EXPECT_EQ(nlohmann::json(read_records(path)), nlohmann::json(runs));
  RunRecord infinite = runs[0];
  infinite.loss = INFINITY;
  EXPECT_THROW(write_records(path, {runs[1], infinite}), std::invalid_argument);
  EXPECT_EQ(nlohmann::json(read_records(path)), nlohmann::json(runs));
}

}  // namespace
}  // namespace edgeprune
