#pragma once
// The tables of every subcommand: written once, read by people, spreadsheets and programs.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/names.h"

namespace edgeprune {

enum class Format { md, csv, json };

inline constexpr Named<Format> kFormats[] = {
    {Format::md, "md"}, {Format::csv, "csv"}, {Format::json, "json"}};
static_assert(in_order(kFormats));
/// Throws std::invalid_argument listing the choices.
inline Format parse_format(const std::string& name) {
  return value_of("format", kFormats, name);
}

enum class Align { left, right };

struct Column {
  std::string name;  ///< heading in Markdown and CSV, with the unit: "accuracy %"
  std::string key;   ///< member name in JSON: "accuracy_percent"
  Align align = Align::right;
};

/// A real number that text shows with `precision` digits after the point.
struct Number {
  double value;
  int precision;
};

/// What programs read otherwise than people: "[32,3,3,3]" is an array of four numbers in JSON.
struct Structured {
  std::string text;
  nlohmann::ordered_json json;
};

/// std::monostate is an empty cell.
using Cell = std::variant<std::monostate, std::string, int64_t, Number, Structured>;

/// A cell as Markdown and CSV show it, not yet escaped.
std::string cell_text(const Cell& cell);

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  /// Throws std::invalid_argument unless there is one cell a column.
  void add_row(std::vector<Cell> cells);

  /// Ends with a newline.
  /// md: columns padded to line up on a terminal. csv: quoted as in RFC 4180, lines end in LF.
  /// json: an array with one object a row, real numbers at full precision, null for empty cells and
  /// for what is not finite.
  std::string render(Format format) const;

  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<Cell>>& rows() const { return rows_; }

 private:
  std::string markdown() const;
  std::string csv() const;
  std::string json() const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace edgeprune
