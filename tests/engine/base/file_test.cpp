#include "engine/base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/// The first name that this process takes for a temporary file, and those behind it.
std::string temporary_name(int number) {
  return ".edgeprune-" + std::to_string(::getpid()) + "-" + std::to_string(number) + ".tmp";
}

TEST(WriteFileAtomically, RemovesWhatAKilledWriterLeft) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("f");
  const pid_t writer = ::fork();
  if (writer == 0) {
    write_file_atomically(path, [](const ByteSink& sink) {
      sink("half", 4);
      ::raise(SIGKILL);
    });
  }
  ::waitpid(writer, nullptr, 0);
  EXPECT_EQ(entries_in(folder), 1u);
  EXPECT_FALSE(std::filesystem::exists(path));
  write_file_atomically(folder.file("another"), "new");
  EXPECT_EQ(text_of(folder.file("another")), "new");
  EXPECT_EQ(entries_in(folder), 1u);
}

TEST(WriteFileAtomically, LeavesALivingWritersFile) {
  const testing::TemporaryFolder folder;
  write_file_atomically(folder.file("outer"), [&](const ByteSink& outer) {
    outer("whole", 5);
    write_file_atomically(folder.file("inner"), "x");
    EXPECT_EQ(entries_in(folder), 2u);
  });
  EXPECT_EQ(text_of(folder.file("outer")), "whole");
  EXPECT_EQ(entries_in(folder), 2u);
}

TEST(WriteFileAtomically, RemovesNothingThatIsNotOurs) {
  const testing::TemporaryFolder folder;
  const std::vector<std::string> foreign = {"f.tmp4194000",
                                            "f.tmp",
                                            "notes.tmp",
                                            "x.tmpl",
                                            ".edgeprune-.tmp",
                                            ".edgeprune-1.tmp",
                                            ".edgeprune-1-.tmp",
                                            ".edgeprune--1.tmp",
                                            ".edgeprune-1-2-3.tmp",
                                            ".edgeprune-1-a.tmp",
                                            ".edgeprune-1-2.tmpl"};
  for (const auto& name : foreign) std::ofstream(folder.file(name)) << "kept";
  write_file_atomically(folder.file("f"), "new");
  for (const auto& name : foreign) EXPECT_EQ(text_of(folder.file(name)), "kept") << name;
}

TEST(WriteFileAtomically, NeitherFollowsALinkNorWaitsForAPipe) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder.file("precious")) << "kept";
  std::filesystem::create_symlink("precious", folder.file(temporary_name(0)));
  std::filesystem::create_symlink("nowhere", folder.file(temporary_name(1)));
  ASSERT_EQ(::mkfifo(folder.file(temporary_name(2)).c_str(), 0600), 0);
  std::filesystem::create_directory(folder.file(temporary_name(3)));
  require_writable(folder.file("f"));
  write_file_atomically(folder.file("f"), "new");
  EXPECT_EQ(text_of(folder.file("f")), "new");
  EXPECT_EQ(text_of(folder.file("precious")), "kept");
  EXPECT_FALSE(std::filesystem::exists(folder.file("nowhere")));
  EXPECT_EQ(entries_in(folder), 6u) << "what is not ours stays";
}

TEST(WriteFileAtomically, ReplacesALinkAndNotWhatItLeadsTo) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder.file("precious")) << "kept";
  std::filesystem::create_symlink("precious", folder.file("f"));
  write_file_atomically(folder.file("f"), "new");
  EXPECT_EQ(text_of(folder.file("precious")), "kept");
  EXPECT_EQ(text_of(folder.file("f")), "new");
}

TEST(ReadFile, APipeIsRefusedAndNotWaitedFor) {
  const testing::TemporaryFolder folder;
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_THROW(read_file(folder.file("pipe")), FileError);
  EXPECT_THROW(append_line(folder.file("pipe"), "x"), FileError);
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
  try {
    require_writable(folder.file("absent/f"));
    FAIL() << "expected FileError";
  } catch (const FileError& error) {
    EXPECT_EQ(error.what(),
              folder.file("absent/f") + ": there is no folder " + folder.file("absent"));
  }
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
