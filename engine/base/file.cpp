#include "engine/base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/digest.h"

namespace edgeprune {
namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    const int error = errno;
    require_file(fd_ >= 0, path, "{}", std::strerror(error));
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(int fd, const std::string& path, const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd, next, bytes);
    if (written < 0 && errno == EINTR) continue;
    require_file(written > 0, path, "cannot write: {}", std::strerror(errno));
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void sync(int fd, const std::string& path) {
  require_file(::fsync(fd) == 0, path, "cannot fsync: {}", std::strerror(errno));
}

std::string folder_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string temporary_name(const std::string& path) {
  return fmt::format("{}.tmp{}", path, ::getpid());
}

/// Removes the temporary files of writers that were killed.
void remove_abandoned(const std::string& path) {
  const std::string prefix = std::filesystem::path(path).filename().string() + ".tmp";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(path), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const char *number = name.data() + prefix.size(), *end = name.data() + name.size();
    pid_t writer = 0;
    const auto [rest, error] = std::from_chars(number, end, writer);
    if (error != std::errc() || rest != end || writer <= 0) continue;
    if (::kill(writer, 0) != 0 && errno == ESRCH) ::unlink(entry.path().c_str());
  }
}

/// Removes the temporary file unless it was renamed away.
struct TemporaryFile {
  std::string path;
  ~TemporaryFile() { ::unlink(path.c_str()); }
};

}  // namespace

std::vector<char> read_file(const std::string& path) {
  struct stat info {};
  Descriptor file(path, O_RDONLY);
  require_file(::fstat(file.get(), &info) == 0, path, "{}", std::strerror(errno));
  require_file(S_ISREG(info.st_mode), path, "not a regular file");
  std::vector<char> content(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    require_file(got > 0, path, "cannot read: {}", got < 0 ? std::strerror(errno) : "file shrank");
    done += static_cast<size_t>(got);
  }
  return content;
}

void write_file_atomically(const std::string& path,
                           const std::function<void(const ByteSink&)>& write) {
  remove_abandoned(path);
  const TemporaryFile temporary{temporary_name(path)};
  {
    Descriptor file(temporary.path, O_WRONLY | O_CREAT | O_TRUNC);
    write([&](const void* data, size_t bytes) { write_all(file.get(), path, data, bytes); });
    sync(file.get(), path);
  }
  require_file(::rename(temporary.path.c_str(), path.c_str()) == 0, path, "cannot rename to: {}",
               std::strerror(errno));
  sync(Descriptor(folder_of(path), O_RDONLY | O_DIRECTORY).get(), folder_of(path));
}

void write_file_atomically(const std::string& path, std::string_view content) {
  write_file_atomically(path, [&](const ByteSink& sink) { sink(content.data(), content.size()); });
}

void require_writable(const std::string& path) {
  require_file(!std::filesystem::is_directory(path), path, "is a folder, a file was expected");
  const TemporaryFile probe{temporary_name(path)};
  Descriptor file(probe.path, O_WRONLY | O_CREAT | O_TRUNC);
}

void append_line(const std::string& path, std::string_view line) {
  Descriptor file(path, O_RDWR | O_CREAT | O_APPEND);
  std::string text;
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(file.get(), &last, 1, size - 1) == 1 && last != '\n')
    text.push_back('\n');
  text.append(line).push_back('\n');
  write_all(file.get(), path, text.data(), text.size());
  sync(file.get(), path);
}

std::string sha256_of_file(const std::string& path) {
  const std::vector<char> content = read_file(path);
  Digest digest;
  digest.add(content.data(), content.size());
  return digest.hex();
}

}  // namespace edgeprune
