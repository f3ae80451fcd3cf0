#include "data/open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "tests/data/image_files.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::write_bytes;

TEST(OpenDataset, SyntheticIsBuiltIn) {
  EXPECT_EQ(open_dataset("synthetic", Split::train, {}).size(), 2000);
  EXPECT_EQ(open_dataset("synthetic", Split::test, {}).size(), 500);
  EXPECT_EQ(open_dataset("synthetic:80", Split::train, {}).size(), 80);
  EXPECT_EQ(open_dataset("synthetic:80", Split::test, {}).size(), 20);
  EXPECT_EQ(open_dataset("synthetic:1", Split::test, {}).size(), 1);
}

TEST(OpenDataset, SyntheticCountMustBeANumber) {
  for (const char* location : {"synthetic:", "synthetic:x", "synthetic:10x", "synthetic:-4",
                               "synthetic:0", "synthetic:99999999999999999999"}) {
    EXPECT_THAT(
        message_of<std::invalid_argument>([&] { open_dataset(location, Split::train, {}); }),
        HasSubstr(std::string("'") + location + "'"));
  }
  EXPECT_THROW(open_dataset("synthetic:2000000", Split::train, {}), std::invalid_argument);
}

TEST(OpenDataset, ImageFolderIsRecognised) {
  const testing::TemporaryFolder folder;
  write_bytes(folder.file("test/cat/1.png"), testing::png_bytes());
  EXPECT_EQ(open_dataset(folder.path(), Split::test, {}).classes, std::vector<std::string>{"cat"});
  EXPECT_THAT(message_of<FileError>([&] { open_dataset(folder.path(), Split::train, {}); }),
              HasSubstr("has no train/ folder"));
}

TEST(OpenDataset, CifarBinaryIsRecognised) {
  const testing::TemporaryFolder folder;
  write_bytes(folder.file("cifar-10-batches-bin/test_batch.bin"), std::string(2 * 3073, '\3'));
  EXPECT_EQ(open_dataset(folder.path(), Split::test, {}).size(), 2);
  EXPECT_EQ(open_dataset(folder.file("cifar-10-batches-bin"), Split::test, {}).size(), 2);
  EXPECT_THAT(message_of<FileError>([&] { open_dataset(folder.path(), Split::train, {}); }),
              HasSubstr("data_batch_1.bin"));
}

TEST(OpenDataset, OtherwiseSaysWhatWasLookedFor) {
  const testing::TemporaryFolder folder;
  const auto error = [](const std::string& location) {
    return message_of<FileError>([&] { open_dataset(location, Split::train, {}); });
  };
  EXPECT_THAT(error(folder.path()),
              AllOf(HasSubstr(folder.path()), HasSubstr("train/"), HasSubstr("data_batch_1.bin")));
  EXPECT_THAT(error(folder.file("none")), HasSubstr("no such folder"));
  EXPECT_THAT(error(""), HasSubstr("no such folder"));
  EXPECT_THAT(error("synthetics"), HasSubstr("no such folder"));
  write_bytes(folder.file("file"), "x");
  EXPECT_THAT(error(folder.file("file")), HasSubstr("is a file"));
}

}  // namespace
}  // namespace edgeprune
