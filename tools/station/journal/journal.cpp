#include "tools/station/journal/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

namespace edgeprune::station {
namespace {

constexpr int64_t kVersion = 1;
/// Records that may wait for the disk: at ten items a second those of seven minutes.
constexpr size_t kMostWaiting = 4096;
/// Images are large: of more items at once the records alone are kept.
constexpr size_t kMostImagesWaiting = 64;
constexpr size_t kMostInATransaction = 256;

// Times in microseconds from the trigger; missing: the numbers (epoch * 65536 + trigger) of items without a record.
constexpr const char* kSchema = R"(
CREATE TABLE record (
  sequence INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, trigger INTEGER NOT NULL, utc_ns INTEGER NOT NULL,
  verdict TEXT NOT NULL, reason TEXT NOT NULL, label INTEGER NOT NULL, confidence REAL NOT NULL,
  probabilities TEXT NOT NULL, model TEXT NOT NULL, policy TEXT NOT NULL,
  captured_us INTEGER, queued_us INTEGER, preprocessed_us INTEGER, inferred_us INTEGER, decided_us INTEGER, answered_us INTEGER,
  image TEXT NOT NULL);
CREATE VIEW missing AS SELECT before + 1 AS first, id - 1 AS last FROM
  (SELECT id, LAG(id) OVER (ORDER BY id) AS before FROM (SELECT epoch * 65536 + trigger AS id FROM record))
  WHERE id > before + 1;
PRAGMA user_version = 1;
)";

constexpr const char* kInsert = "INSERT INTO record VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

std::optional<int64_t> microseconds(const Stamps& stamps, const std::optional<Instant>& to) {
  if (!to) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::microseconds>(*to - stamps.trigger).count();
}

std::optional<Instant> instant(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return Instant() + std::chrono::microseconds(row.integer(column));
}

void insert(Statement& statement, uint64_t sequence, const Record& r, const std::string& image) {
  const Stamps& at = r.stamps;
  statement
      .bind(static_cast<int64_t>(sequence), int64_t{r.id.epoch}, int64_t{r.id.trigger}, r.utc_ns,
            std::string(name_of(kVerdicts, r.decision.verdict)),
            std::string(name_of(kReasons, r.decision.reason)), int64_t{r.decision.label},
            double{r.decision.confidence}, json_text(nlohmann::json(r.probabilities)), r.model,
            r.policy, microseconds(at, at.captured), microseconds(at, at.queued),
            microseconds(at, at.preprocessed), microseconds(at, at.inferred),
            microseconds(at, at.decided), microseconds(at, at.answered), image)
      .run();
}

Entry entry_of(const Statement& row, const std::string& path) {
  Entry entry;
  Record& r = entry.record;
  entry.sequence = static_cast<uint64_t>(row.integer(0));
  r.id = {static_cast<uint16_t>(row.integer(1)), static_cast<uint16_t>(row.integer(2))};
  r.utc_ns = row.integer(3);
  r.decision = {value_of("verdict", kVerdicts, row.text(4)),
                value_of("reason", kReasons, row.text(5)), static_cast<int>(row.integer(6)),
                static_cast<float>(row.real(7))};
  r.probabilities = parse_json(row.text(8), path).get<std::vector<float>>();
  r.model = row.text(9);
  r.policy = row.text(10);
  r.stamps = {Instant(),        instant(row, 11), instant(row, 12), instant(row, 13),
              instant(row, 14), instant(row, 15), instant(row, 16)};
  entry.image = row.text(17);
  return entry;
}

std::string made(const std::string& folder) {
  make_folder(folder);
  return folder;
}

uint64_t newest(Database& database) {
  Statement statement(database, "SELECT COALESCE(MAX(sequence), 0) FROM record");
  statement.step();
  return static_cast<uint64_t>(statement.integer(0));
}

}  // namespace

Journal::Journal(const JournalOptions& options)
    : options_(options),
      lock_(std::make_unique<FileLock>(made(options.folder) + "/lock")),
      audit_(options.folder + "/audit.jsonl"),
      database_(options.folder + "/journal.sqlite"),
      images_(options.folder + "/images", options.images,
              [this](const std::string& name, const char* why) { audit_deletion(name, why); }),
      random_(options.seed) {
  Statement version(database_, "PRAGMA user_version");
  version.step();
  const int64_t found = version.integer(0);
  require_file(found == 0 || found == kVersion, database_.path(), "is of version {}, expected {}",
               found, kVersion);
  if (found == 0) database_.run(std::string("BEGIN;") + kSchema + "COMMIT;");
  next_ = newest(database_) + 1;
  thread_ = std::jthread([this](const std::stop_token& stop) { write_all(stop); });
}

Journal::~Journal() {
  thread_.request_stop();
  thread_.join();
}

void Journal::append(const Record& record, std::shared_ptr<const Image> image) {
  const std::scoped_lock lock(mutex_);
  const uint64_t sequence = next_++;
  if (waiting_.size() >= kMostWaiting) {
    ++counts_.lost;
    return;
  }
  const bool kept = record.decision.verdict != Verdict::ok ||
                    (options_.sample_one_in > 0 &&
                     random_() % static_cast<uint64_t>(options_.sample_one_in) == 0);
  if (!kept) image = nullptr;
  if (image && waiting_.size() >= kMostImagesWaiting) {
    image = nullptr;
    ++counts_.not_stored;
  }
  waiting_.push_back({sequence, record, std::move(image)});
  changed_.notify_all();
}

void Journal::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty() && !writing_; });
}

void Journal::write_all(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return !waiting_.empty(); })) {
    std::deque<Waiting> batch;
    while (!waiting_.empty() && batch.size() < kMostInATransaction) {
      batch.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    writing_ = true;
    lock.unlock();
    write(batch);
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
}

std::string Journal::keep_image(const Waiting& one) {
  if (!one.image) return "";
  const Verdict verdict = one.record.decision.verdict;
  const Kept reason = verdict == Verdict::reject   ? Kept::reject
                      : verdict == Verdict::review ? Kept::review
                                                   : Kept::sample;
  return images_.add(reason, one.sequence, *one.image);
}

void Journal::audit_deletion(const std::string& name, const char* why) {
  try {
    audit_.add("image deleted", name, why);
  } catch (
      const FileError&) {  // the image went to make room: records are worth more than this line
    const std::scoped_lock lock(mutex_);
    ++counts_.unaudited;
  }
}

void Journal::write(std::deque<Waiting>& batch) {
  uint64_t stored = 0, not_stored = 0, committed = 0, lost = 0;
  try {
    images_.tidy();
    // Images first: a record never names one that is not there.
    std::vector<std::string> names;
    for (const Waiting& one : batch) {
      names.push_back(keep_image(one));
      if (one.image) ++(names.back().empty() ? not_stored : stored);
    }
    database_.run("BEGIN IMMEDIATE");
    Statement statement(database_, kInsert);
    for (size_t i = 0; i < batch.size(); ++i)
      insert(statement, batch[i].sequence, batch[i].record, names[i]);
    database_.run("COMMIT");
    committed = batch.size();
  } catch (const std::exception&) {  // a full disk: items are judged all the same
    try {
      database_.run("ROLLBACK");
    } catch (const std::exception&) {  // there is nothing to roll back
    }
    lost = batch.size();
  }
  const std::scoped_lock lock(mutex_);
  counts_.committed += committed;
  counts_.lost += lost;
  counts_.images += stored;
  counts_.not_stored += not_stored;
}

JournalCounts Journal::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

std::vector<Entry> Journal::read(uint64_t from, int64_t most) const {
  Database reader(database_.path(), Opened::to_read);
  Statement statement(reader, "SELECT * FROM record WHERE sequence >= ? ORDER BY sequence LIMIT ?");
  statement.bind(static_cast<int64_t>(from), most);
  std::vector<Entry> entries;
  while (statement.step()) entries.push_back(entry_of(statement, reader.path()));
  return entries;
}

uint64_t Journal::last() const {
  Database reader(database_.path(), Opened::to_read);
  return newest(reader);
}

}  // namespace edgeprune::station
