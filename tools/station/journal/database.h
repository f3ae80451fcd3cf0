#pragma once
// SQLite as C++ has it.

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace edgeprune::station {

enum class Opened { to_write, to_read };

/// One connection. All throw FileError("path: what: SQLite's message").
class Database {
 public:
  /// Opens or creates the file in WAL mode with synchronous=FULL: what is committed has been synced. One connection writes and
  /// checkpoints (versions before 3.51.3 could damage a WAL that others reset meanwhile). Refuses a
  /// damaged file: it is left as it is. To read, the file is there and is not looked through.
  explicit Database(const std::string& path, Opened how = Opened::to_write);

  void run(const std::string& sql);
  const std::string& path() const { return path_; }

 private:
  friend class Statement;
  [[noreturn]] void fail(const char* what) const;

  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

/// A prepared statement, to be bound and stepped through again and again.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);

  /// Parameters in their order; the statement begins anew.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (put(++index, values), ...);
    return *this;
  }
  /// True if there is a row.
  bool step();
  /// Steps to the end.
  void run();

  int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string text(int column) const;
  bool is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }

 private:
  void reset();
  void put(int index, int64_t value);
  void put(int index, double value);
  void put(int index, const std::string& value);
  template <typename Value>
  void put(int index, const std::optional<Value>& value) {
    if (value) put(index, *value);  // else it stays null
  }

  struct Finalise {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalise> statement_;
};

}  // namespace edgeprune::station
