#include "engine/base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/base/check.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

std::string text_of(const std::string& path) {
  const std::vector<char> content = read_file(path);
  return {content.begin(), content.end()};
}

size_t entries_in(const testing::TemporaryFolder& folder) {
  const std::filesystem::directory_iterator files(folder.path());
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

TEST(ReadFile, ReturnsAllBytes) {
  const testing::TemporaryFolder folder;
  const std::string bytes("a\0b\n\xff", 5);
  std::ofstream(folder.file("f")) << bytes;
  EXPECT_EQ(text_of(folder.file("f")), bytes);
}

TEST(ReadFile, EmptyFileIsEmpty) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder.file("f")).close();
  EXPECT_TRUE(read_file(folder.file("f")).empty());
}

TEST(ReadFile, MissingFileOrFolderThrowsNamingThePath) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(read_file(folder.path()), FileError);
  try {
    read_file(folder.file("absent"));
    FAIL() << "expected FileError";
  } catch (const FileError& error) {
    EXPECT_EQ(error.what(), folder.file("absent") + ": No such file or directory");
  }
}

TEST(WriteFileAtomically, RemovesWhatAKilledWriterLeft) {
  const testing::TemporaryFolder folder;
  const auto living = folder.file("f.tmp" + std::to_string(::getppid()));
  const auto of_another = folder.file("other.tmp2147483647");
  const auto foreign = folder.file("f.tmpfile"), numbered = folder.file("f.tmp2147483647a");
  for (const auto& name : {living, of_another, foreign, numbered}) std::ofstream(name) << "kept";
  std::ofstream(folder.file("f.tmp2147483647")) << "half";  // no process has this number
  write_file_atomically(folder.file("f"), "new");
  EXPECT_EQ(text_of(folder.file("f")), "new");
  EXPECT_FALSE(std::filesystem::exists(folder.file("f.tmp2147483647")));
  for (const auto& name : {living, of_another, foreign, numbered}) {
    EXPECT_TRUE(std::filesystem::exists(name)) << name;
  }
}

TEST(WriteFileAtomically, ReplacesContentAndLeavesNothingElse) {
  const testing::TemporaryFolder folder;
  write_file_atomically(folder.file("f"), "something long");
  write_file_atomically(folder.file("f"), [](const ByteSink& sink) {
    sink("ab", 2);
    sink("", 0);
    sink("c", 1);
  });
  EXPECT_EQ(text_of(folder.file("f")), "abc");
  EXPECT_EQ(entries_in(folder), 1u);
}

TEST(WriteFileAtomically, ThrowingWriterKeepsTheOldFile) {
  const testing::TemporaryFolder folder;
  write_file_atomically(folder.file("f"), "old");
  const auto writer = [](const ByteSink& sink) {
    sink("new", 3);
    throw std::logic_error("stop");
  };
  EXPECT_THROW(write_file_atomically(folder.file("f"), writer), std::logic_error);
  EXPECT_EQ(text_of(folder.file("f")), "old");
  EXPECT_EQ(entries_in(folder), 1u);
}

TEST(WriteFileAtomically, UnwritablePlaceThrowsAndLeavesNothing) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("taken"));
  EXPECT_THROW(write_file_atomically(folder.file("absent/f"), "x"), FileError);
  EXPECT_THROW(write_file_atomically(folder.file("taken"), "x"), FileError);
  EXPECT_EQ(entries_in(folder), 1u);
}

/// For a child process: writing beyond `bytes` fails from now on, as on a full disk.
void limit_file_size(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::_Exit(2);
}

/// Leaves the child process, with success if `write` threw a FileError that says why.
template <typename Write>
void exit_expecting_failed_write(const Write& write) {
  limit_file_size(4096);
  try {
    write();
  } catch (const FileError& error) {
    std::_Exit(std::string(error.what()).find("cannot write: ") != std::string::npos ? 0 : 3);
  }
  std::_Exit(4);
}

TEST(FileDeathTest, FullDiskKeepsTheOldFileAndLeavesNothingElse) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("f");
  write_file_atomically(path, "old");
  EXPECT_EXIT(
      exit_expecting_failed_write([&] { write_file_atomically(path, std::string(100'000, 'x')); }),
      ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(text_of(path), "old");
  EXPECT_EQ(entries_in(folder), 1u);
}

TEST(FileDeathTest, LineCutByAFullDiskIsClosedOffByTheNext) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("f");
  append_line(path, "first");
  EXPECT_EXIT(exit_expecting_failed_write([&] { append_line(path, std::string(100'000, 'x')); }),
              ::testing::ExitedWithCode(0), "");
  append_line(path, "last");
  EXPECT_EQ(text_of(path), "first\n" + std::string(4096 - 6, 'x') + "\nlast\n");
}

TEST(RequireWritable, PassesWithoutTouchingAnything) {
  const testing::TemporaryFolder folder;
  EXPECT_NO_THROW(require_writable(folder.file("new")));
  EXPECT_EQ(entries_in(folder), 0u);
  write_file_atomically(folder.file("f"), "old");
  EXPECT_NO_THROW(require_writable(folder.file("f")));
  EXPECT_EQ(text_of(folder.file("f")), "old");
}

TEST(RequireWritable, FolderOrMissingFolderThrows) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(require_writable(folder.path()), FileError);
  EXPECT_THROW(require_writable(folder.file("absent/f")), FileError);
}

TEST(AppendLine, AddsLinesAndClosesOffAHalfOne) {
  const testing::TemporaryFolder folder;
  append_line(folder.file("f"), "one");
  append_line(folder.file("f"), "two");
  EXPECT_EQ(text_of(folder.file("f")), "one\ntwo\n");
  std::ofstream(folder.file("f"), std::ios::app) << "ha";
  append_line(folder.file("f"), "three");
  EXPECT_EQ(text_of(folder.file("f")), "one\ntwo\nha\nthree\n");
  EXPECT_THROW(append_line(folder.file("absent/f"), "x"), FileError);
}

TEST(Sha256OfFile, EqualsTheStandardsExample) {  // FIPS 180-2, appendix B.1
  const testing::TemporaryFolder folder;
  std::ofstream(folder.file("f")) << "abc";
  EXPECT_EQ(sha256_of_file(folder.file("f")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(sha256_of_file(folder.file("absent")), FileError);
}

}  // namespace
}  // namespace edgeprune
