#include "engine/base/strict_json.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

namespace edgeprune {

namespace {

/// Of a list that somebody writes by hand; each is compared with all others.

std::string shown(const nlohmann::json& value) {
  return printable(value.dump());
}

}  // namespace

StrictObject::StrictObject(const nlohmann::json& object, std::string source, std::string path)
    : json_(object), source_(std::move(source)), path_(std::move(path)) {
  require_file(json_.is_object(), source_, "{}expected an object {{...}}, got {}",
               path_.empty() ? "" : path_ + ": ", shown(json_));
}

std::string StrictObject::below(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

void StrictObject::fail(const std::string& key, const std::string& message) const {
  throw FileError(fmt::format("{}: {}: {}", source_, below(key), message));
}

const nlohmann::json* StrictObject::find(const char* key) {
  known_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

void StrictObject::require_key(const char* key) {
  if (!has(key)) fail(key, "is missing");
}

void StrictObject::finish() const {
  for (const auto& [key, value] : json_.items()) {
    if (!known_.contains(key)) {
      fail(printable(key), fmt::format("unknown key; known are {}", fmt::join(known_, ", ")));
    }
  }
}

std::string StrictObject::take_string(const std::string& key, const nlohmann::json& value) const {
  if (!value.is_string()) fail(key, "expected a text, got " + shown(value));
  return value.get<std::string>();
}

int64_t StrictObject::take_integer(const std::string& key, const nlohmann::json& value,
                                   int64_t least, int64_t most) const {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()}) &&
                    value.get<int64_t>() >= least && value.get<int64_t>() <= most;
  if (!fits) {
    const std::string range = most == std::numeric_limits<int64_t>::max()
                                  ? fmt::format("of {} or more", least)
                                  : fmt::format("from {} to {}", least, most);
    fail(key, fmt::format("expected a whole number {}, got {}", range, shown(value)));
  }
  return value.get<int64_t>();
}

double StrictObject::take_real(const std::string& key, const nlohmann::json& value, double above,
                               double below) const {
  const bool fits = value.is_number() && value.get<double>() > above && value.get<double>() < below;
  if (!fits) {
    const std::string range = below == std::numeric_limits<double>::infinity()
                                  ? fmt::format("above {}", above)
                                  : fmt::format("above {} and below {}", above, below);
    fail(key, fmt::format("expected a number {}, got {}", range, shown(value)));
  }
  return value.get<double>();
}

const nlohmann::json* StrictObject::find_list(const char* key, size_t most) {
  const nlohmann::json* found = find(key);
  if (found == nullptr) return found;
  if (!found->is_array() || found->empty()) {
    fail(key, "expected a list [...] of one or more, got " + shown(*found));
  }
  if (found->size() > most) {
    fail(key, fmt::format("expected a list of at most {}, got {}", most, found->size()));
  }
  return found;
}

template <typename T, typename Take>
void StrictObject::get_list(const char* key, std::vector<T>& value, const Take& take) {
  const nlohmann::json* found = find_list(key);
  if (found == nullptr) return;
  value.clear();
  for (size_t i = 0; i < found->size(); ++i) {
    const std::string at = fmt::format("{}[{}]", key, i);
    const T one = take(at, (*found)[i]);
    const bool twice = std::find(value.begin(), value.end(), one) != value.end();
    if (twice) fail(at, shown((*found)[i]) + " is there twice");
    value.push_back(one);
  }
}

void StrictObject::get(const char* key, std::string& value) {
  if (const nlohmann::json* found = find(key)) value = take_string(key, *found);
}

void StrictObject::get(const char* key, bool& value) {
  const nlohmann::json* found = find(key);
  if (found == nullptr) return;
  if (!found->is_boolean()) fail(key, "expected true or false, got " + shown(*found));
  value = found->get<bool>();
}

void StrictObject::get(const char* key, int64_t& value, int64_t least, int64_t most) {
  if (const nlohmann::json* found = find(key)) value = take_integer(key, *found, least, most);
}

void StrictObject::get(const char* key, int& value, int least, int most) {
  if (const nlohmann::json* found = find(key)) {
    value = static_cast<int>(take_integer(key, *found, least, most));
  }
}

void StrictObject::get(const char* key, double& value, double above, double below) {
  if (const nlohmann::json* found = find(key)) value = take_real(key, *found, above, below);
}

void StrictObject::get(const char* key, std::vector<std::string>& value) {
  get_list(key, value,
           [&](const std::string& at, const nlohmann::json& one) { return take_string(at, one); });
}

void StrictObject::get_one_or_more(const char* key, std::vector<std::string>& value) {
  const nlohmann::json* found = find(key);
  if (found == nullptr || !found->is_string()) return get(key, value);
  value = {take_string(key, *found)};
}

void StrictObject::get(const char* key, std::vector<int>& value, int least, int most) {
  get_list(key, value, [&](const std::string& at, const nlohmann::json& one) {
    return static_cast<int>(take_integer(at, one, least, most));
  });
}

void StrictObject::get(const char* key, std::vector<double>& value, double above, double below) {
  get_list(key, value, [&](const std::string& at, const nlohmann::json& one) {
    return take_real(at, one, above, below);
  });
}

void StrictObject::get_three(const char* key, std::vector<float>& value, double least,
                             double most) {
  const nlohmann::json* found = find_list(key);
  if (found == nullptr) return;
  if (found->size() != 3) fail(key, "expected three numbers, got " + shown(*found));
  get_numbers(key, value, least, most, 3);
}

void StrictObject::get_numbers(const char* key, std::vector<float>& value, double least,
                               double most, size_t most_entries) {
  const nlohmann::json* found = find_list(key, most_entries);
  if (found == nullptr) return;
  value.clear();
  for (const nlohmann::json& one : *found) {
    if (!one.is_number() || one.get<double>() < least || one.get<double>() > most) {
      fail(key, fmt::format("expected numbers from {} to {}, got {}", least, most, shown(one)));
    }
    value.push_back(one.get<float>());
  }
}

StrictObject StrictObject::object(const char* key) {
  const nlohmann::json* found = find(key);
  return {found == nullptr ? nlohmann::json::object() : *found, source_, below(key)};
}

std::vector<StrictObject> StrictObject::list(const char* key) {
  const nlohmann::json* found = find_list(key);
  std::vector<StrictObject> all;
  for (size_t i = 0; found != nullptr && i < found->size(); ++i) {
    all.emplace_back((*found)[i], source_, below(fmt::format("{}[{}]", key, i)));
  }
  return all;
}

}  // namespace edgeprune
