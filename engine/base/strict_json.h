#pragma once
// JSON that people write by hand: whatever is not understood is an error that says where it is.

#include <set>
#include <string>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"

namespace edgeprune {

/// A JSON object with the keys that were asked for and no others. All throw
/// FileError("source: experiments[2].epochs: expected ..., got ...").
class StrictObject {
 public:
  /// `path` is where the object is: "experiments[2]"; empty: the whole text.
  StrictObject(const nlohmann::json& json, std::string source, std::string path = "");

  bool has(const char* key) const { return json_.contains(key); }

  /// Leave `value` as it is if there is no such key.
  void get(const char* key, std::string& value);
  void get(const char* key, bool& value);
  void get(const char* key, int64_t& value, int64_t least, int64_t most);
  void get(const char* key, int& value, int least, int most);
  /// Strictly between `above` and `below`.
  void get(const char* key, double& value, double above, double below);
  void get(const char* key, std::vector<std::string>& value);
  /// A list, or the one entry of it without brackets.
  void get_one_or_more(const char* key, std::vector<std::string>& value);
  void get(const char* key, std::vector<int>& value, int least, int most);
  void get(const char* key, std::vector<double>& value, double above, double below);
  /// Of red, green and blue, each from `least` to `most`.
  void get_three(const char* key, std::vector<float>& value, double least, double most);
  /// Numbers from `least` to `most`; the same may come again.
  void get_numbers(const char* key, std::vector<float>& value, double least, double most,
                   size_t most_entries);
  /// A value that `parse` understands: it throws std::invalid_argument("[where] why") if not.
  template <typename T, typename Parse>
  void get_parsed(const char* key, T& value, const Parse& parse) {
    std::string text;
    get(key, text);
    if (!has(key)) return;
    explain(key, [&] { value = parse(text); });
  }
  /// The object below a key; an empty one if there is no such key.
  StrictObject object(const char* key);
  /// The objects of a list, which has one at least; nothing if there is no such key.
  std::vector<StrictObject> list(const char* key);

  void require_key(const char* key);
  /// To be called last: throws on keys that nobody asked for, naming those that there are.
  void finish() const;

  /// Throws a FileError about a value.
  [[noreturn]] void fail(const std::string& key, const std::string& message) const;
  /// What `action` throws as std::invalid_argument becomes an error about the key.
  template <typename Action>
  void explain(const char* key, const Action& action) const {
    try {
      action();
    } catch (const std::invalid_argument& error) {
      fail(key, printable(error.what(), 400));  // it quotes what it was given
    }
  }

 private:
  const nlohmann::json* find(const char* key);
  /// Of people's lists, which have not so many entries, all are compared with each other.
  static constexpr size_t kMostEntries = 1000;
  const nlohmann::json* find_list(const char* key, size_t most = kMostEntries);
  std::string below(const std::string& key) const;
  template <typename T, typename Take>
  void get_list(const char* key, std::vector<T>& value, const Take& take);
  std::string take_string(const std::string& key, const nlohmann::json& json) const;
  int64_t take_integer(const std::string& key, const nlohmann::json& json, int64_t least,
                       int64_t most) const;
  double take_real(const std::string& key, const nlohmann::json& json, double above,
                   double below) const;

  nlohmann::json json_;
  std::string source_, path_;
  std::set<std::string> known_;
};

}  // namespace edgeprune
