#include "data/tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/random.h"
#include "tests/data/image_files.h"
#include "tests/data/tar_files.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::tar_end;
using testing::tar_entry;
using testing::write_bytes;

class Tar : public ::testing::Test {
 protected:
  std::map<std::string, std::vector<char>> read() { return read_tar(path_, {"a/one", "a/two"}); }
  std::string error() {
    return message_of<FileError>([&] { read(); });
  }
  static std::string text(const std::vector<char>& bytes) { return {bytes.begin(), bytes.end()}; }

  testing::TemporaryFolder folder_;
  std::string path_ = folder_.file("x.tar.gz");
  const std::string long_ = std::string(1000, 'x') + "end";
  const std::string archive_ = tar_entry("a/", "", '5') + tar_entry("a/zero", "no") +
                               tar_entry("./a/one", long_) + tar_entry("a/two", "") + tar_end();
};

TEST_F(Tar, FilesThatAreWantedAreReadCompressedOrNot) {
  for (const bool compressed : {true, false}) {
    compressed ? testing::write_gzip(path_, archive_) : write_bytes(path_, archive_);
    const auto files = read();
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(text(files.at("a/one")), long_);
    EXPECT_TRUE(files.at("a/two").empty());
  }
}

TEST_F(Tar, WhatIsCutOffIsRefused) {
  for (const size_t length : {size_t{511}, size_t{513}, size_t{1300}, size_t{2300}}) {
    write_bytes(path_, archive_.substr(0, length));
    EXPECT_THAT(error(), HasSubstr("truncated")) << length;
  }
  testing::write_gzip(path_, archive_);
  const std::vector<char> whole = read_file(path_);
  write_bytes(path_, std::string(whole.begin(), whole.begin() + std::ptrdiff_t(whole.size()) / 2));
  EXPECT_THAT(error(), HasSubstr(path_));
}

TEST_F(Tar, ForeignAndDamagedFilesAreRefused) {
  EXPECT_THAT(error(), HasSubstr("cannot open"));
  write_bytes(path_, std::string(2048, 'q'));
  EXPECT_THAT(error(), HasSubstr(path_));
  Rng rng(4);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = archive_;
    bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    write_bytes(path_, bytes);
    error();  // a FileError or files
  }
}

TEST_F(Tar, ASizeThatLiesIsRefusedBeforeMemoryIsTaken) {
  std::string entry = tar_entry("a/one", "");
  entry.replace(124, 11, "77777777777");  // 8 GB
  unsigned sum = 0;
  entry.replace(148, 8, "        ");
  for (size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(entry[i]);
  entry.replace(148, 7, fmt::format("{:06o}", sum) + std::string("\0", 1));
  write_bytes(path_, entry);
  EXPECT_THAT(error(), HasSubstr("more than 1 GB"));
}

TEST_F(Tar, IsKnownByItsName) {
  EXPECT_FALSE(is_tar(path_)) << "not there";
  for (const char* name : {"a.tar", "a.tgz", "a.tar.gz"}) {
    write_bytes(folder_.file(name), "x");
    EXPECT_TRUE(is_tar(folder_.file(name)));
  }
  write_bytes(folder_.file("a.gz"), "x");
  EXPECT_FALSE(is_tar(folder_.file("a.gz")));
  std::filesystem::create_directory(folder_.file("b.tar"));
  EXPECT_FALSE(is_tar(folder_.file("b.tar")));
}

}  // namespace
}  // namespace edgeprune
