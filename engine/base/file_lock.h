#pragma once
// One process at a time.

#include <string>

namespace edgeprune {

/// A file that is locked while this lives (flock(2)): the kernel unlocks it when the process ends,
/// however it ends. The file stays; it holds the number of the process that locked it last.
class FileLock {
 public:
  /// Throws FileError, naming the process, if the file is locked already (by this process, too), or
  /// cannot be written.
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace edgeprune
