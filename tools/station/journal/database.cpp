#include "tools/station/journal/database.h"

#include "engine/base/check.h"

namespace edgeprune::station {

Database::Database(const std::string& path, Opened how) : path_(path) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &opened,
                      (how == Opened::to_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                               : SQLITE_OPEN_READONLY) |
                          SQLITE_OPEN_NOMUTEX,
                      nullptr);
  database_.reset(opened);
  if (result != SQLITE_OK) fail("cannot be opened");
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_timeout(opened, 2000);
  if (how == Opened::to_read) return;
  run("PRAGMA journal_mode=WAL");
  run("PRAGMA synchronous=FULL");
  Statement check(*this, "PRAGMA quick_check(1)");
  check.step();
  require_file(check.text(0) == "ok", path,
               "is damaged: {}; it is left as it is, for `sqlite3 FILE .recover`", check.text(0));
}

void Database::run(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    fail("cannot be written");
}

void Database::fail(const char* what) const {
  require_file(false, path_, "{}: {}", what, sqlite3_errmsg(database_.get()));
  __builtin_unreachable();
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* prepared = nullptr;
  const int result = sqlite3_prepare_v2(database.database_.get(), sql.data(),
                                        static_cast<int>(sql.size()), &prepared, nullptr);
  statement_.reset(prepared);
  if (result != SQLITE_OK) database.fail("is no journal of this version");
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

bool Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  reset();
  database_.fail("cannot be read or written");
}

void Statement::run() {
  while (step()) {
  }
  sqlite3_reset(statement_.get());  // or it would hold the transaction open
}

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return text == nullptr
             ? ""
             : std::string(text,
                           static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

void Statement::put(int index, int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
}
void Statement::put(int index, double value) {
  sqlite3_bind_double(statement_.get(), index, value);
}
void Statement::put(int index, const std::string& value) {
  sqlite3_bind_text(statement_.get(), index, value.data(), static_cast<int>(value.size()),
                    SQLITE_TRANSIENT);
}

}  // namespace edgeprune::station
