#include "engine/base/file_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

std::string refusal(const std::string& path) {
  try {
    const FileLock lock(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "locked";
}

TEST(FileLock, IsHeldByOneAtATime) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("lock");
  {
    const FileLock lock(path);
    const std::string message = refusal(path);
    EXPECT_NE(message.find(path), std::string::npos) << message;
    EXPECT_NE(message.find("process " + std::to_string(::getpid())), std::string::npos) << message;
  }
  EXPECT_FALSE(std::filesystem::exists(path)) << "it was released";
  EXPECT_EQ(refusal(path), "locked");
}

TEST(FileLock, OverwritesNothingThatIsNotOurs) {
  const testing::TemporaryFolder folder;
  const auto text_of = [](const std::string& path) {
    const std::vector<char> text = read_file(path);
    return std::string(text.begin(), text.end());
  };
  const std::string notes = folder.file("notes"), link = folder.file("link"),
                    pipe = folder.file("pipe");
  std::ofstream(notes) << "which door is locked";
  std::filesystem::create_symlink("notes", link);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(refusal(notes).find("is no lock"), std::string::npos) << refusal(notes);
  EXPECT_NE(refusal(link).find("is a symbolic link"), std::string::npos) << refusal(link);
  EXPECT_NE(refusal(pipe).find("not a regular file"), std::string::npos) << refusal(pipe);
  EXPECT_EQ(text_of(notes), "which door is locked");
}

TEST(FileLock, IsReleasedByAKill) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("lock");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock lock(path);
    [[maybe_unused]] const ssize_t told = ::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(refusal(path).find("process " + std::to_string(child)), std::string::npos)
      << refusal(path);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(refusal(path), "locked");
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(FileLock, NeedsAFolder) {
  const testing::TemporaryFolder folder;
  EXPECT_NE(refusal(folder.file("no/where")).find(folder.file("no/where")), std::string::npos);
}

}  // namespace
}  // namespace edgeprune
