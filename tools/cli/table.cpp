#include "tools/cli/table.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "tools/cli/text.h"

namespace edgeprune {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::string number_text(const Number& number) {
  std::string text = fmt::format("{:.{}f}", number.value, number.precision);
  const bool rounds_to_zero = text.find_first_not_of("-0.") == std::string::npos;
  if (rounds_to_zero && text.front() == '-') text.erase(0, 1);
  return text;
}

nlohmann::ordered_json cell_json(const Cell& cell) {
  using Json = nlohmann::ordered_json;
  return std::visit(Overloaded{[](std::monostate) { return Json(); },
                               [](const std::string& text) { return Json(text); },
                               [](int64_t value) { return Json(value); },
                               [](const Number& number) { return Json(number.value); },
                               [](const Structured& both) { return both.json; }},
                    cell);
}

/// A bar would end the cell, a line break the row.
std::string markdown_text(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c == '\n' || c == '\r' ? ' ' : c;
  }
  return escaped;
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string padded(const std::string& text, size_t width, Align align) {
  const std::string spaces(width - text_columns(text), ' ');
  return align == Align::left ? text + spaces : spaces + text;
}

}  // namespace

std::string cell_text(const Cell& cell) {
  return std::visit(Overloaded{[](std::monostate) { return std::string(); },
                               [](const std::string& text) { return text; },
                               [](int64_t value) { return std::to_string(value); },
                               [](const Number& number) { return number_text(number); },
                               [](const Structured& both) { return both.text; }},
                    cell);
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add_row(std::vector<Cell> cells) {
  require(cells.size() == columns_.size(), "table", "a row has {} cells, the table {} columns",
          cells.size(), columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::render(Format format) const {
  switch (format) {
    case Format::csv:
      return csv();
    case Format::json:
      return json();
    default:
      return markdown();
  }
}

std::string Table::markdown() const {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns_) lines[0].push_back(markdown_text(column.name));
  for (const auto& row : rows_) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const Cell& cell : row) line.push_back(markdown_text(cell_text(cell)));
  }
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t width = 2;  // room for the alignment mark and one dash
    for (const auto& line : lines) width = std::max(width, text_columns(line[c]));
    widths.push_back(width);
  }
  std::string text;
  for (size_t r = 0; r < lines.size(); ++r) {
    for (size_t c = 0; c < columns_.size(); ++c) {
      text += "| " + padded(lines[r][c], widths[c], columns_[c].align) + ' ';
    }
    text += "|\n";
    if (r > 0) continue;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const std::string dashes(widths[c] + 1, '-');
      text += columns_[c].align == Align::left ? "|:" + dashes : '|' + dashes + ':';
    }
    text += "|\n";
  }
  return text;
}

std::string Table::csv() const {
  std::string text;
  for (size_t c = 0; c < columns_.size(); ++c) {
    text += (c > 0 ? "," : "") + csv_text(columns_[c].name);
  }
  text += "\n";
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c)
      text += (c > 0 ? "," : "") + csv_text(cell_text(row[c]));
    text += "\n";
  }
  return text;
}

std::string Table::json() const {
  std::string text = "[";
  for (size_t r = 0; r < rows_.size(); ++r) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (size_t c = 0; c < columns_.size(); ++c) object[columns_[c].key] = cell_json(rows_[r][c]);
    text += (r > 0 ? ",\n  " : "\n  ") + json_text(object);
  }
  return text + (rows_.empty() ? "]\n" : "\n]\n");
}

}  // namespace edgeprune
