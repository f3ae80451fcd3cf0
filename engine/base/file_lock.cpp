#include "engine/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr std::string_view kDigits = "0123456789";

/// The first bytes of the file.
std::string beginning(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  return {text, size > 0 ? static_cast<size_t>(size) : 0};
}

bool is_regular(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

/// Locks the file and writes the process's number into it; the reason if it cannot be locked.
std::string take(int fd) {
  if (!is_regular(fd)) return "not a regular file";
  const std::string content = beginning(fd);
  if (content.find_first_not_of(kDigits) != std::string::npos) {
    return "is no lock, which is what this name is needed for";
  }
  // Some file systems know no locks: work goes on there unguarded.
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return fmt::format("{} is at work here, and only one can be",
                       content.empty() ? "another process" : "process " + content);
  }
  // On a full disk the lock stays without its holder's number.
  const std::string own = std::to_string(::getpid());
  [[maybe_unused]] const bool written =
      ::ftruncate(fd, 0) == 0 && ::pwrite(fd, own.data(), own.size(), 0) > 0;
  return "";
}

}  // namespace

bool is_at(int fd, const std::string& path) {
  struct stat open_file {
  }, named{};
  return ::fstat(fd, &open_file) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

FileLock::FileLock(const std::string& path) : path_(path) {
  std::string problem;
  do {  // again, if its last holder removed the file between opening and locking
    // A symbolic link might lead to a file that somebody needs; a pipe would be waited for.
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    require_file(fd_ >= 0 || errno != ELOOP, path, "is a symbolic link, a lock was expected");
    require_file(fd_ >= 0, path, "{}", std::strerror(errno));
    problem = take(fd_);
    if (problem.empty() && is_at(fd_, path)) return;
    ::close(fd_);
  } while (problem.empty());
  require_file(false, path, "{}", problem);
}

FileLock::~FileLock() {
  if (is_at(fd_, path_)) ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace edgeprune
