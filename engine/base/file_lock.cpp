#include "engine/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

/// What the holder wrote into the file; it may not have come to that yet.
std::string holder(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  return size > 0 ? "process " + std::string(text, static_cast<size_t>(size)) : "another process";
}

}  // namespace

FileLock::FileLock(const std::string& path)
    : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  require_file(fd_ >= 0, path, "{}", std::strerror(errno));
  std::string problem;
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    problem = errno == EWOULDBLOCK
                  ? fmt::format("{} is at work here, and only one can be", holder(fd_))
                  : fmt::format("cannot lock: {}", std::strerror(errno));
  } else {
    const std::string own = std::to_string(::getpid());
    const bool written = ::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, own.data(), own.size(), 0) ==
                                                         static_cast<ssize_t>(own.size());
    if (!written) problem = fmt::format("cannot write: {}", std::strerror(errno));
  }
  if (problem.empty()) return;
  ::close(fd_);
  require_file(false, path, "{}", problem);
}

FileLock::~FileLock() {
  ::close(fd_);
}

}  // namespace edgeprune
