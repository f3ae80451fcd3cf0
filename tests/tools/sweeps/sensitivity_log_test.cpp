#include "tools/sweeps/sensitivity_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

const nlohmann::json kIdentity = {{"model", "abc"}, {"images", 10}};

TEST(SensitivityLog, WhatIsAddedIsFoundAgainBitForBit) {
  const TemporaryFolder folder;
  const std::string path = folder.file("log");
  {
    SensitivityLog log(path, kIdentity);
    EXPECT_FALSE(log.accuracy("a", 0.3));
    log.add_accuracy("a", 0.3, 1.0 / 3);
    log.add_times("a", 0.3, {0.1 / 3, 0.2 / 3});
    EXPECT_EQ(log.accuracy("a", 0.3), 1.0 / 3);
  }
  const SensitivityLog again(path, kIdentity);
  EXPECT_EQ(again.accuracy("a", 0.3), 1.0 / 3);
  EXPECT_EQ(again.times("a", 0.3)->dense_ms, 0.1 / 3);
  EXPECT_EQ(again.times("a", 0.3)->sparse_ms, 0.2 / 3);
  EXPECT_FALSE(again.accuracy("a", 0.5) || again.accuracy("b", 0.3) || again.times("b", 0.3));
}

TEST(SensitivityLog, AHalfLineIsLeftOutWhereverItIs) {
  const TemporaryFolder folder;
  const std::string path = folder.file("log");
  SensitivityLog(path, kIdentity).add_accuracy("a", 0.3, 0.5);
  const std::vector<char> text = read_file(path);
  write_file_atomically(path, std::string(text.begin(), text.end()) + "{\"layer\":\"b\",\"le");
  SensitivityLog(path, kIdentity).add_accuracy("c", 0.3, 0.25);
  const SensitivityLog log(path, kIdentity);
  EXPECT_EQ(log.accuracy("a", 0.3), 0.5);
  EXPECT_EQ(log.accuracy("c", 0.3), 0.25);
  EXPECT_FALSE(log.accuracy("b", 0.3));
}

TEST(SensitivityLog, AFirstLineThatBrokeOffIsWrittenAgain) {
  const TemporaryFolder folder;
  const std::string path = folder.file("log");
  write_file_atomically(path, "{\"scan\":{\"mo");
  SensitivityLog(path, kIdentity).add_accuracy("a", 0.3, 0.5);
  EXPECT_EQ(SensitivityLog(path, kIdentity).accuracy("a", 0.3), 0.5);
}

TEST(SensitivityLog, AnotherScansIsRefusedNamingWhatDiffers) {
  const TemporaryFolder folder;
  const std::string path = folder.file("log");
  const SensitivityLog log(path, kIdentity);
  nlohmann::json other = kIdentity;
  other["images"] = 11;
  const std::string message =
      message_of<std::invalid_argument>([&] { SensitivityLog(path, other); });
  EXPECT_THAT(message, HasSubstr(path));
  EXPECT_THAT(message, HasSubstr("images differs"));
}

TEST(SensitivityLog, OtherFilesAreRefusedAndNotWrittenTo) {
  const TemporaryFolder folder;
  const std::string path = folder.file("log");
  const std::string scan = nlohmann::json{{"scan", kIdentity}}.dump() + "\n";
  for (const std::string& text :
       {std::string("{\"layer\":\"a\",\"level\":0.3,\"accuracy\":1}\n"), std::string("[1]\n"),
        std::string("no log\n"), scan + std::string(1'000'000, '[') + "\n",
        scan + "{\"layer\":\"a\",\"level\":\"x\",\"accuracy\":1}\n", scan + "{\"layer\":\"a\"}\n",
        scan + "[]\n", scan + "7\n"}) {
    write_file_atomically(path, text);
    EXPECT_THAT(message_of<FileError>([&] { SensitivityLog(path, kIdentity); }), HasSubstr(path))
        << text;
    const std::vector<char> after = read_file(path);
    EXPECT_EQ(std::string(after.begin(), after.end()), text);
  }
}

}  // namespace
}  // namespace edgeprune
