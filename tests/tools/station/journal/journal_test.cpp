#include "tools/station/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;
using edgeprune::testing::message_of;
using edgeprune::testing::TemporaryFolder;
using ::testing::HasSubstr;

Record record_of(uint16_t trigger, Verdict verdict = Verdict::ok) {
  Record record;
  record.id = {3, trigger};
  record.utc_ns = 1700000000000000000 + trigger;
  record.stamps.trigger = Clock::now();
  record.stamps.captured = record.stamps.trigger + 2ms;
  record.stamps.decided = record.stamps.trigger + 3ms;
  record.decision = {verdict, Reason::confident, 1, 0.75f};
  record.probabilities = {0.25f, 0.75f};
  record.model = "0123456789abcdef";
  record.policy = "fedcba9876543210";
  return record;
}

std::shared_ptr<const Image> image_of(int side, uint8_t seed = 1) {
  Image image{side, side, {}};
  uint32_t state = seed;
  for (int i = 0; i < 3 * side * side; ++i)
    image.rgb.push_back(static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24));
  return std::make_shared<const Image>(std::move(image));
}

int64_t query(const std::string& path, const std::string& sql) {
  Database database(path);
  Statement statement(database, sql);
  EXPECT_TRUE(statement.step());
  return statement.integer(0);
}

TEST(Journal, WhatIsAppendedIsReadBackAndGoesOn) {
  const TemporaryFolder folder;
  const JournalOptions options{folder.file("journal"), 0, 0, {}};
  const auto image = image_of(20);
  {
    Journal journal(options);
    journal.append(record_of(7), image);
    journal.append(record_of(8, Verdict::reject), image);
    journal.append(record_of(11, Verdict::review), nullptr);
    journal.flush();
    EXPECT_EQ(journal.last(), 3u);
    EXPECT_EQ(journal.counts().committed, 3u);
    EXPECT_EQ(journal.counts().images, 1u) << "of what passes none is kept";
  }
  Journal journal(options);
  journal.append(record_of(12), image);
  journal.flush();
  const auto entries = journal.read(2, 10);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].sequence, 2u);
  const Record& record = entries[0].record;
  EXPECT_EQ(record.id, (ItemId{3, 8}));
  EXPECT_EQ(record.utc_ns, 1700000000000000008);
  EXPECT_EQ(record.decision.verdict, Verdict::reject);
  EXPECT_EQ(record.decision.confidence, 0.75f);
  EXPECT_EQ(record.probabilities, (std::vector<float>{0.25f, 0.75f}));
  EXPECT_EQ(record.model, "0123456789abcdef");
  EXPECT_EQ(*record.stamps.captured - record.stamps.trigger, 2ms);
  EXPECT_FALSE(record.stamps.answered);
  EXPECT_EQ(read_image(options.folder + "/images/" + entries[0].image), *image);
  EXPECT_EQ(entries[2].sequence, 4u);
  // Items 9 and 10 have no record: a numbered gap.
  EXPECT_EQ(query(options.folder + "/journal.sqlite", "SELECT COUNT(*) FROM missing"), 1);
  EXPECT_EQ(query(options.folder + "/journal.sqlite", "SELECT first % 65536 FROM missing"), 9);
  EXPECT_EQ(query(options.folder + "/journal.sqlite", "SELECT last % 65536 FROM missing"), 10);
}

TEST(Journal, KilledAtAnyMomentItLosesNoCommittedRecordAndHasNoneTwice) {
  const TemporaryFolder folder;
  const JournalOptions options{folder.file("journal"), 4, 0, {}};
  uint16_t told = 0;
  for (int round = 0; round < 6; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {  // appends for ever, and says what is committed
      Journal journal(options);
      const auto image = image_of(16);
      for (uint16_t trigger = static_cast<uint16_t>(told + 1);; ++trigger) {
        journal.append(record_of(trigger, trigger % 5 == 0 ? Verdict::reject : Verdict::ok), image);
        if (trigger % 3 != 0) continue;
        journal.flush();
        if (::write(pipe_ends[1], &trigger, sizeof(trigger)) != sizeof(trigger)) ::_exit(1);
      }
    }
    ::close(pipe_ends[1]);
    for (int i = 0; i < 2 + 5 * round; ++i) {
      ASSERT_EQ(::read(pipe_ends[0], &told, sizeof(told)), static_cast<ssize_t>(sizeof(told)));
    }
    ::usleep(static_cast<useconds_t>(137 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    uint16_t last = 0;
    while (::read(pipe_ends[0], &last, sizeof(last)) == static_cast<ssize_t>(sizeof(last)))
      told = last;
    ::close(pipe_ends[0]);
    const std::string path = options.folder + "/journal.sqlite";
    Database database(path);
    Statement check(database, "PRAGMA integrity_check");
    check.step();
    EXPECT_EQ(check.text(0), "ok");
    const int64_t newest = query(path, "SELECT MAX(trigger) FROM record");
    EXPECT_GE(newest, told) << "a committed record is gone";
    EXPECT_EQ(query(path, "SELECT COUNT(*) - COUNT(DISTINCT trigger) FROM record"), 0)
        << "one is there twice";
    EXPECT_EQ(query(path, "SELECT COUNT(*) FROM record"), newest);
    told = static_cast<uint16_t>(newest);
  }
  Journal journal(options);
  for (const Entry& entry : journal.read(1, 1 << 20)) {
    if (entry.image.empty()) continue;
    EXPECT_NO_THROW(read_image(options.folder + "/images/" + entry.image)) << entry.image;
  }
  EXPECT_NO_THROW(verify_audit_log(options.folder + "/audit.jsonl"));
}

TEST(Journal, AFullDiskLosesRecordsAndBlocksNobody) {
  const TemporaryFolder folder;
  const JournalOptions options{folder.file("journal"), 0, 0, {}};
  Journal journal(options);
  journal.append(record_of(1), nullptr);
  journal.flush();
  // No file of this process may grow beyond: SIGXFSZ ignored, writes fail as on a full disk.
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit {};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit small{16, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Instant start = Clock::now();
  for (uint16_t i = 2; i < 200; ++i) journal.append(record_of(i, Verdict::reject), image_of(8));
  const auto took = Clock::now() - start;
  journal.flush();
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, before);
  EXPECT_LT(took, 2s);
  EXPECT_EQ(journal.counts().lost, 198u);
  EXPECT_EQ(journal.counts().images, 0u);
  journal.append(record_of(200), nullptr);  // and it goes on when there is room again
  journal.flush();
  EXPECT_EQ(journal.counts().committed, 2u);
  const auto entries = journal.read(1, 10);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].sequence, 200u) << "the numbers between are the gap";
}

TEST(Journal, ImagesGoByQuotaTheOldestFirstAndAreAudited) {
  const TemporaryFolder folder;
  JournalOptions options{folder.file("journal"), 0, 0, {}};
  options.images.bytes = 10000;  // three images of some 3 kB
  Journal journal(options);
  for (uint16_t i = 1; i <= 10; ++i) {
    journal.append(record_of(i, Verdict::reject), image_of(32, static_cast<uint8_t>(i)));
    journal.flush();
  }
  int64_t bytes = 0, files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(options.folder + "/images/reject")) {
    if (entry.is_directory()) continue;
    bytes += static_cast<int64_t>(entry.file_size());
    ++files;
  }
  EXPECT_LE(bytes, 10000);
  EXPECT_GE(files, 2);
  EXPECT_TRUE(std::filesystem::exists(options.folder +
                                      "/images/reject/00000000000000000/00000000000000000010.png"));
  EXPECT_FALSE(std::filesystem::exists(
      options.folder + "/images/reject/00000000000000000/00000000000000000001.png"));
  EXPECT_EQ(journal.read(1, 100).size(), 10u) << "records stay";
  const auto audit = read_file(options.folder + "/audit.jsonl");
  EXPECT_THAT(std::string(audit.begin(), audit.end()), HasSubstr("image deleted"));
  verify_audit_log(options.folder + "/audit.jsonl");
}

TEST(Journal, WithoutRoomOnTheDiskImagesGoAndRecordsStay) {
  const TemporaryFolder folder;
  JournalOptions options{folder.file("journal"), 1, 0, {}};
  {
    Journal journal(options);
    journal.append(record_of(1), image_of(8));
    journal.flush();
    EXPECT_EQ(journal.counts().images, 1u) << "one in one is kept";
  }
  options.images.free_bytes = int64_t{1} << 60;  // more than any disk has
  Journal journal(options);
  journal.append(record_of(2, Verdict::reject), image_of(8));
  journal.flush();
  EXPECT_EQ(journal.counts().committed, 1u);
  EXPECT_EQ(journal.counts().not_stored, 1u);
  EXPECT_TRUE(std::filesystem::is_empty(options.folder + "/images/sample"));
}

TEST(Journal, OneAtATimeAndOnlyWhatIsOne) {
  const TemporaryFolder folder;
  const JournalOptions options{folder.file("journal"), 0, 0, {}};
  {
    const Journal journal(options);
    EXPECT_THAT(message_of<FileError>([&] { Journal second(options); }), HasSubstr("lock"));
  }
  const std::string path = options.folder + "/journal.sqlite";
  Database(path).run("PRAGMA user_version = 7");
  EXPECT_THAT(message_of<FileError>([&] { Journal journal(options); }),
              HasSubstr("is of version 7, expected 1"));
  std::ofstream(path, std::ios::trunc) << std::string(5000, 'x');
  std::filesystem::remove(path + "-wal");
  EXPECT_THAT(message_of<FileError>([&] { Journal journal(options); }),
              HasSubstr("journal.sqlite"));
  EXPECT_EQ(read_file(path).size(), 5000u) << "left as it is";
}

TEST(AuditLog, ALineThatFoundNoRoomLeavesTheChainWhole) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  AuditLog log(path);
  log.add("model activated", "a", "");
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit {};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit small{std::filesystem::file_size(path) + 20,
                     old_limit.rlim_max};  // it ends in mid-line
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(log.add("model activated", "b", ""), FileError);
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, before);
  log.add("model activated", "c", "");
  EXPECT_EQ(verify_audit_log(path), log.last_hash());
  AuditLog again(path);
}

TEST(AuditLog, WhatIsChangedOrTakenOutShows) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  {
    AuditLog log(path);
    for (const char* model : {"a", "b", "c"}) log.add("model activated", model, "by hand");
  }
  const auto whole = read_file(path);
  const std::string text(whole.begin(), whole.end());
  std::string changed = text;
  changed.replace(changed.find("\"b\""), 3, "\"x\"");
  write_file_atomically(path, changed);
  EXPECT_THAT(message_of<FileError>([&] { AuditLog log(path); }),
              HasSubstr("line 3 does not follow"));
  std::string shorter = text;
  shorter.erase(shorter.find('\n') + 1,
                shorter.find('\n', shorter.find('\n') + 1) - shorter.find('\n'));
  write_file_atomically(path, shorter);
  EXPECT_THAT(message_of<FileError>([&] { verify_audit_log(path); }),
              HasSubstr("line 2 does not follow"));
  // A kill in the middle of a line, or just before its end, and again in the line that says so: the chain goes on.
  for (const size_t missing : {9, 1}) {
    write_file_atomically(path, text.substr(0, text.size() - missing));
    { AuditLog log(path); }
    const auto mended = read_file(path);
    EXPECT_THAT(std::string(mended.begin(), mended.end()), HasSubstr("cut short here"));
    write_file_atomically(path, std::string(mended.begin(), mended.end() - 5));
    for (int start = 0; start < 2; ++start) AuditLog(path).add("model activated", "d", "");
    verify_audit_log(path);
  }
  // Garbage that no entry explains is no torn line.
  write_file_atomically(path,
                        text + "garbage\n" + text.substr(text.rfind('\n', text.size() - 2) + 1));
  EXPECT_THAT(message_of<FileError>([&] { verify_audit_log(path); }),
              HasSubstr("line 4 does not follow"));
}

}  // namespace
}  // namespace edgeprune::station
