#pragma once
// JSON that somebody else wrote: read within bounds. Whoever uses nlohmann's library includes it from
// here: a number is then read in the same way everywhere.

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune {

/// What a text may ask of its reader.
struct JsonLimits {
  /// Objects and lists within each other. nlohmann::json copies, compares and destroys its values
  /// by recursion: text that nests a million deep would overflow the stack. Ours nests 5 deep.
  size_t depth = 64;
  /// Values in all. One takes up to a hundred bytes of memory, and as few as two of the text. Our
  /// longest text, a safetensors header, has ten a tensor.
  size_t values = size_t{1} << 20;
};

/// The text ends inside its value, as a file does whose writer was killed.
class TruncatedJson : public FileError {
 public:
  using FileError::FileError;
};

/// The only way in which this project reads JSON from files. Throws FileError("source: ...") on
/// what is no JSON (with line and column), exceeds the limits, or has a key twice in one object;
/// TruncatedJson if more text could have made it whole. `source` names the text in messages.
nlohmann::json parse_json(std::string_view text, const std::string& source,
                          const JsonLimits& limits = {});

/// The text of JSON that may hold names of files, which are any bytes: its strings are as as_utf8()
/// (printable.h) makes them. The only way in which such text is written.
template <typename Json>
std::string json_text(Json json, int indent = -1) {
  const auto mend = [](Json& value, const auto& self) -> void {
    if (value.is_string()) value = as_utf8(value.template get_ref<const std::string&>());
    if (!value.is_structured()) return;
    for (Json& one : value) self(one, self);
  };
  mend(json, mend);
  return json.dump(indent);
}

/// A number that its reader's type cannot hold. Readers catch nlohmann::json::exception, of which this
/// is one (302 is nlohmann's own number for a wrong type), and add what they were reading.
class JsonNumberError : public nlohmann::json::exception {
 public:
  explicit JsonNumberError(const std::string& message) : exception(302, message.c_str()) {}
};

/// Integers other than bool, and float.
template <typename T>
concept NarrowNumber = std::same_as<T, float> ||(std::integral<T> && !std::same_as<T, bool>);

template <NarrowNumber T>
T exact_number(const nlohmann::json& json) {
  const auto refuse = [&](const std::string& expected) {
    throw JsonNumberError(fmt::format("expected {}, got {}", expected, json.dump()));
  };
  if constexpr (std::same_as<T, float>) {
    if (!json.is_number() || std::abs(json.get<double>()) > double{std::numeric_limits<T>::max()}) {
      refuse("a number of 32 bits");
    }
    return static_cast<T>(json.get<double>());
  } else {
    if (!json.is_number_integer()) refuse("a whole number");
    const bool fits = json.is_number_unsigned() ? std::in_range<T>(*json.get_ptr<const uint64_t*>())
                                                : std::in_range<T>(*json.get_ptr<const int64_t*>());
    if (!fits) {
      refuse(fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(),
                         std::numeric_limits<T>::max()));
    }
    return json.is_number_unsigned() ? static_cast<T>(*json.get_ptr<const uint64_t*>())
                                     : static_cast<T>(*json.get_ptr<const int64_t*>());
  }
}

}  // namespace edgeprune

/// nlohmann's own conversions cut off what does not fit: 1e59 as an int is undefined behaviour, 2^32
/// is 0, 1.5 is 1. This is its documented place for others.
template <edgeprune::NarrowNumber T>
struct nlohmann::adl_serializer<T> {
  static void from_json(const nlohmann::json& json, T& value) {
    value = edgeprune::exact_number<T>(json);
  }
  template <typename Json>
  static void to_json(Json& json, T value) {
    nlohmann::to_json(json, value);
  }
};
