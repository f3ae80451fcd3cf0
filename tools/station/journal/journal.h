#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "data/image.h"
#include "engine/base/file_lock.h"
#include "tools/station/item.h"
#include "tools/station/journal/audit.h"
#include "tools/station/journal/database.h"
#include "tools/station/journal/image_store.h"

namespace edgeprune::station {

struct JournalOptions {
  std::string folder;
  int64_t sample_one_in = 100;  ///< images of items that passed that are kept, by chance; 0: none
  uint64_t seed = 0;            ///< of that chance
  ImageQuota images;
};

struct JournalCounts {
  uint64_t committed = 0;  ///< records since the start
  uint64_t lost = 0;    ///< records that could not be queued or written: numbers without a record
  uint64_t images = 0;  ///< stored
  uint64_t unaudited = 0;   ///< images that went without a line in the audit log: the disk was full
  uint64_t not_stored = 0;  ///< images for which there was no room
};

/// A record as it is read back.
struct Entry {
  uint64_t sequence = 0;
  Record record;      ///< its stamps are durations from its trigger, which is 0
  std::string image;  ///< its file's name within FOLDER/images; empty: none is kept
};

/// Every decision, in FOLDER/journal.sqlite, and images of some, in FOLDER/images.
///
/// append() takes no longer than a few microseconds whatever the disk does: a thread of the journal's own writes what has come,
/// several records a transaction. Records are numbered as they are appended; a committed one survives kill -9 and, as far as
/// the disk's own flush does, a power cut; a number without one is a record that was lost, never one that came twice.
class Journal {
 public:
  /// Makes the folder, or goes on with what is there. Throws FileError: another process has it, or the database is damaged or
  /// of another version.
  explicit Journal(const JournalOptions& options);
  /// Writes what is queued.
  ~Journal();

  void append(const Record& record, std::shared_ptr<const Image> image);
  /// Once all that was appended before is committed or lost.
  void flush();

  JournalCounts counts() const;
  /// Records from a number on, in order, so many at most: from another connection, at any time. Throws FileError.
  std::vector<Entry> read(uint64_t from, int64_t most) const;
  /// The newest committed number, 0 if there is none: they begin with 1.
  uint64_t last() const;
  AuditLog& audit() { return audit_; }

 private:
  struct Waiting {
    uint64_t sequence;
    Record record;
    std::shared_ptr<const Image> image;
  };
  void write_all(const std::stop_token& stop);
  void write(std::deque<Waiting>& batch);
  void audit_deletion(const std::string& name, const char* why);
  std::string keep_image(const Waiting& one);

  const JournalOptions options_;
  std::unique_ptr<FileLock> lock_;
  AuditLog audit_;
  Database database_;
  ImageStore images_;
  std::mt19937_64 random_;

  mutable std::mutex mutex_;  ///< of the following
  std::condition_variable_any changed_;
  std::deque<Waiting> waiting_;
  bool writing_ = false;
  uint64_t next_ = 1;
  JournalCounts counts_;
  std::jthread thread_;  ///< last: it uses all of the above
};

}  // namespace edgeprune::station
