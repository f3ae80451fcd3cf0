#pragma once
// One process at a time.

#include <string>

namespace edgeprune {

/// A file that is locked while this lives (flock(2)) and then removed; it holds the number of the
/// process. The kernel unlocks it when the process ends, however it ends: what a kill leaves hinders
/// nobody.
class FileLock {
 public:
  /// Throws FileError, naming the process, if the file is locked already (by this process, too), or
  /// cannot be made; also if a file of that name holds anything but a number: it is not ours.
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::string path_;
  int fd_;
};

/// Whether `path` still names the open file, not another one or none.
bool is_at(int fd, const std::string& path);

}  // namespace edgeprune
