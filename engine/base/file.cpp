#include "engine/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/file_lock.h"

namespace edgeprune {
namespace {

/// A regular file that closes itself. Without O_NONBLOCK a pipe of that name would be waited for.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC, 0644)) {
    const int error = errno;
    const bool link = error == ELOOP && (flags & O_NOFOLLOW) != 0;
    require_file(fd_ >= 0, path, "{}", link ? "a link, expected a file" : std::strerror(error));
    struct stat info {};
    const bool regular = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode);
    if (!regular) ::close(fd_);
    require_file(regular, path, "not a regular file");
    size_ = static_cast<size_t>(info.st_size);
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  size_t size() const { return size_; }  ///< when it was opened

 private:
  int fd_;
  size_t size_ = 0;
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

void sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  require_file(synced, folder, "cannot fsync: {}", std::strerror(error));
}

constexpr std::string_view kTemporaryBegin = ".edgeprune-", kTemporaryEnd = ".tmp";

/// ".edgeprune-PROCESS-NUMBER.tmp": a name that nothing but TemporaryFile makes.
bool is_temporary(std::string_view name) {
  if (!name.starts_with(kTemporaryBegin) || !name.ends_with(kTemporaryEnd)) return false;
  name.remove_prefix(kTemporaryBegin.size());
  name.remove_suffix(std::min(name.size(), kTemporaryEnd.size()));
  const size_t dash = name.find('-');
  return dash != 0 && dash < name.size() - 1 && std::ranges::count(name, '-') == 1 &&
         name.find_first_not_of("0123456789-") == std::string_view::npos;
}

/// A new file in the folder of `path`, removed again unless it was renamed. Whoever writes it holds
/// a lock on it (flock(2)), which ends with the process: what has such a name and no lock was left
/// by a kill.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) {
    const std::string folder = folder_of(path);
    require_file(std::filesystem::is_directory(folder), path, "there is no folder {}", folder);
    constexpr int kNames = 10'000;
    for (int number = 0; number < kNames; ++number) {
      name_ =
          fmt::format("{}/{}{}-{}{}", folder, kTemporaryBegin, ::getpid(), number, kTemporaryEnd);
      // What is there already, be it a link to another file or a pipe, is somebody's: not opened.
      fd_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
      require_file(fd_ >= 0 || errno == EEXIST, path, "cannot make a file in {}: {}", folder,
                   std::strerror(errno));
      if (fd_ < 0) continue;
      // Who swept the folder between these two calls has locked it, and then removed it.
      const bool locked = ::flock(fd_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
      if (locked && is_at(fd_, name_)) return;
      ::close(fd_);
    }
    require_file(false, path, "{} names for a temporary file are taken in {}", kNames, folder);
  }
  ~TemporaryFile() {
    if (!renamed_) ::unlink(name_.c_str());
    ::close(fd_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  int get() const { return fd_; }

  void rename_to(const std::string& path) {
    renamed_ = ::rename(name_.c_str(), path.c_str()) == 0;
    require_file(renamed_, path, "cannot rename to: {}", std::strerror(errno));
  }

 private:
  std::string name_;
  int fd_ = -1;
  bool renamed_ = false;
};

}  // namespace

std::vector<char> read_file(const std::string& path, Links links) {
  const Descriptor file(path, O_RDONLY | (links == Links::refused ? O_NOFOLLOW : 0));
  std::vector<char> content(file.size());
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    require_file(got > 0, path, "cannot read: {}", got < 0 ? std::strerror(errno) : "file shrank");
    done += static_cast<size_t>(got);
  }
  return content;
}

std::string start_of_file(const std::string& path, size_t bytes) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return "";  // a pipe would be waited for
  std::ifstream file(path, std::ios::binary);
  std::string start(bytes, '\0');
  file.read(start.data(), static_cast<std::streamsize>(bytes));
  start.resize(static_cast<size_t>(file.gcount()));
  return start;
}

void write_file_atomically(const std::string& path,
                           const std::function<void(const ByteSink&)>& write) {
  remove_abandoned(folder_of(path));
  TemporaryFile file(path);
  write([&](const void* data, size_t bytes) { write_all(file.get(), path, data, bytes); });
  sync(file.get(), path);
  file.rename_to(path);
  sync_folder(folder_of(path));
}

void remove_abandoned(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string path = entry.path().string();
    if (!is_temporary(entry.path().filename().string())) continue;
    const int fd = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    struct stat info {};
    const bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (regular && ::flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, path)) ::unlink(path.c_str());
    ::close(fd);
  }
}

void write_file_atomically(const std::string& path, std::string_view content) {
  write_file_atomically(path, [&](const ByteSink& sink) { sink(content.data(), content.size()); });
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  require_file(!error, path, "cannot make a folder: {}", error.message());
}

void require_writable(const std::string& path) {
  require_file(!std::filesystem::is_directory(path), path, "is a folder, a file was expected");
  const TemporaryFile probe(path);
}

void append_line(const std::string& path, std::string_view line) {
  Descriptor file(path, O_RDWR | O_CREAT | O_APPEND);
  std::string text;
  const auto size = static_cast<off_t>(file.size());
  char last = '\n';
  if (size > 0 && ::pread(file.get(), &last, 1, size - 1) == 1 && last != '\n')
    text.push_back('\n');
  text.append(line).push_back('\n');
  write_all(file.get(), path, text.data(), text.size());
  sync(file.get(), path);
}

std::string sha256_of_file(const std::string& path) {
  return sha256_of_files({&path, 1});
}

std::string sha256_of_files(std::span<const std::string> paths) {
  std::vector<char> piece(size_t{256} << 10);  // stays in the processor's cache
  Digest digest;
  for (const std::string& path : paths) {
    const Descriptor file(path, O_RDONLY);
    for (ssize_t got = 1; got != 0;) {
      got = ::read(file.get(), piece.data(), piece.size());
      require_file(got >= 0 || errno == EINTR, path, "cannot read: {}", std::strerror(errno));
      if (got > 0) digest.add(piece.data(), static_cast<size_t>(got));
    }
  }
  return digest.hex();
}

}  // namespace edgeprune
