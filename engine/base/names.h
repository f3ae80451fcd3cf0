#pragma once
// Enumerations and their names: one table each, from which they are printed, read, offered as
// choices and explained.
//
//   enum class Format { md, csv, json };
//   inline constexpr Named<Format> kFormats[] = {{Format::md, "md"}, {Format::csv, "csv"}, ...};
//   static_assert(in_order(kFormats));

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace edgeprune {

/// A row of a table.
template <typename Enum>
struct Named {
  Enum value;
  const char* name;
  const char* meaning = "";  ///< for help texts
};

/// Whether row i is value i of the enumeration, as name_of() relies on.
template <typename Enum, size_t kCount>
constexpr bool in_order(const Named<Enum> (&table)[kCount]) {
  for (size_t i = 0; i < kCount; ++i) {
    if (static_cast<size_t>(table[i].value) != i) return false;
  }
  return true;
}

/// "?" if the table has not the value.
template <typename Enum, size_t kCount>
constexpr const char* name_of(const Named<Enum> (&table)[kCount], Enum value) {
  const auto row = static_cast<size_t>(value);
  return row < kCount ? table[row].name : "?";
}

/// In the order of the table.
template <typename Enum, size_t kCount>
std::vector<std::string> names_of(const Named<Enum> (&table)[kCount]) {
  std::vector<std::string> names;
  for (const Named<Enum>& row : table) names.push_back(row.name);
  return names;
}

/// All values, in the order of the table.
template <typename Enum, size_t kCount>
std::vector<Enum> values_in(const Named<Enum> (&table)[kCount]) {
  std::vector<Enum> values;
  for (const Named<Enum>& row : table) values.push_back(row.value);
  return values;
}

/// "magnitude, lamp or channel"
std::string listed(const std::vector<std::string>& names);

/// "constant, cosine (to zero) or step (0.1 x, twice)": the choices as a help text has them.
template <typename Enum, size_t kCount>
std::string explained(const Named<Enum> (&table)[kCount]) {
  std::vector<std::string> choices;
  for (const auto& [value, name, meaning] : table) {
    const std::string_view text = meaning;
    choices.push_back(text.empty() ? name : std::string(name).append(" (").append(text) + ")");
  }
  return listed(choices);
}

/// Throws std::invalid_argument("[what] expected one or other, got 'name'").
[[noreturn]] void refuse_name(const char* what, const std::vector<std::string>& names,
                              std::string_view name);

/// The value of that name; throws std::invalid_argument, listing the choices, if there is none.
template <typename Enum, size_t kCount>
Enum value_of(const char* what, const Named<Enum> (&table)[kCount], std::string_view name) {
  for (const Named<Enum>& row : table) {
    if (name == row.name) return row.value;
  }
  refuse_name(what, names_of(table), name);
}

}  // namespace edgeprune
