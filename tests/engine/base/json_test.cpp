#include "engine/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::kNothingThrown;
using testing::message_of;
using ::testing::StartsWith;

std::string error_of(const std::string& text, const JsonLimits& limits = {}) {
  return message_of<FileError>([&] { parse_json(text, "file.json", limits); });
}

/// Of text that is no JSON.
bool is_truncated(const std::string& text) {
  try {
    parse_json(text, "file.json");
  } catch (const TruncatedJson&) {
    return true;
  } catch (const FileError&) {
    return false;
  }
  ADD_FAILURE() << "accepted: " << text;
  return false;
}

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ParseJson, ReadsWhatNlohmannReads) {
  for (
      const char* text :
      {R"({"a": [1, -2, 3.5, "x\n\"ü", true, false, null, {}, [], [[7]], {"a": {"b": []}}], "b": 18446744073709551615})",
       "7", "\"text\"", "null", "[]", "{}", R"({"": {"": 1}})"}) {
    EXPECT_EQ(parse_json(text, "f"), nlohmann::json::parse(text)) << text;
  }
  EXPECT_TRUE(parse_json("1", "f").is_number_unsigned());
  EXPECT_TRUE(parse_json("1.0", "f").is_number_float());
}

TEST(ParseJson, WhatIsNoJsonIsNamedWithItsPlace) {
  EXPECT_THAT(error_of("{\n\"a\": }"), StartsWith("file.json: not JSON: parse error at line 2"));
  for (const char* text : {"", "hello", "[1,]", "{1:2}", "[1] 2", "\"\xff\"", "1e999",
                           "\x7f"
                           "ELF",
                           "nul"}) {
    EXPECT_THAT(error_of(text), StartsWith("file.json: not JSON: ")) << text;
  }
  const std::string message = error_of("\"" + std::string(100'000, 'x'));
  EXPECT_LT(message.size(), 300u);
  EXPECT_EQ(error_of("[\"a\nb\x1b\"]").find_first_of("\n\x1b"), std::string::npos);
}

TEST(ParseJson, TextThatBreaksOffIsToldApart) {
  const std::string whole = R"({"a": ["x\n", true, {"b": null}], "c": "ü"})";
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_TRUE(is_truncated(whole.substr(0, length))) << whole.substr(0, length);
  }
  for (const char* text : {"hello", "{]", R"({"a" 1})", "[1] 2", R"({"a": 1, "a":)"}) {
    EXPECT_FALSE(is_truncated(text)) << text;
  }
}

TEST(ParseJson, EqualKeysOfOneObjectAreAnError) {
  EXPECT_EQ(error_of(R"({"a": 1, "b": {"a": 2}, "a": 3})"), "file.json: \"a\" is there twice");
  EXPECT_EQ(error_of(R"([{"a": 1}, {"a": {"a": 1}}])"), kNothingThrown);
}

TEST(ParseJson, NestingHasALimit) {
  EXPECT_EQ(error_of(repeated("[", 64) + repeated("]", 64)), kNothingThrown);
  EXPECT_THAT(error_of(repeated("[", 65) + repeated("]", 65)), HasSubstr("more than 64 deep"));
  EXPECT_EQ(error_of(R"({"a": [{"b": 1}], "c": [{}]})", {.depth = 3}), kNothingThrown);
  EXPECT_THAT(error_of(R"({"a": [{"b": []}]})", {.depth = 3}), HasSubstr("more than 3 deep"));
  EXPECT_THAT(error_of(repeated("[", 1'000'000)), HasSubstr("nests too deeply"));
  EXPECT_THAT(error_of(repeated("{\"a\":", 1'000'000)), HasSubstr("nests too deeply"));
}

TEST(ParseJson, ValuesHaveALimit) {
  EXPECT_EQ(error_of("[1, {\"a\": 2}]", {.values = 4}), kNothingThrown);
  EXPECT_EQ(error_of("[1, {\"a\": 2}]", {.values = 3}), "file.json: more than 3 values");
  EXPECT_THAT(error_of("[" + repeated("{},", 2'000'000) + "{}]"),
              HasSubstr("more than 1048576 values"));
}

/// nlohmann's own reader with a callback takes an hour for this.
TEST(ParseJson, ManySmallObjectsTakeTimeInProportion) {
  const auto list = parse_json("[" + repeated("{},", 999'999) + "{}]", "f");
  EXPECT_EQ(list.size(), 1'000'000u);
}

TEST(JsonNumbers, WhatAnIntegerCannotHoldIsAnError) {
  const auto error_of_int = [](const char* text) {
    return message_of<nlohmann::json::exception>([&] { parse_json(text, "f").get<int>(); });
  };
  EXPECT_EQ(parse_json("-2147483648", "f").get<int>(), std::numeric_limits<int>::min());
  EXPECT_EQ(error_of_int("2147483648"),
            "expected a whole number from -2147483648 to 2147483647, got 2147483648");
  EXPECT_EQ(error_of_int("4294967296"),
            "expected a whole number from -2147483648 to 2147483647, got 4294967296");
  EXPECT_EQ(error_of_int("1.84444e+59"), "expected a whole number, got 1.84444e+59");
  EXPECT_EQ(error_of_int("1.5"), "expected a whole number, got 1.5");
  EXPECT_EQ(error_of_int("true"), "expected a whole number, got true");
  EXPECT_EQ(parse_json("18446744073709551615", "f").get<uint64_t>(), ~uint64_t{0});
  EXPECT_THROW(parse_json("18446744073709551615", "f").get<int64_t>(), JsonNumberError);
  EXPECT_THROW(parse_json("-1", "f").get<uint64_t>(), JsonNumberError);
  EXPECT_THROW(parse_json("[1, 256]", "f").get<std::vector<uint8_t>>(), JsonNumberError);
  EXPECT_THROW(parse_json(R"({"a": 1e10})", "f").value("a", 7), JsonNumberError);
}

TEST(JsonNumbers, WhatAFloatCannotHoldIsAnError) {
  EXPECT_EQ(parse_json("3", "f").get<float>(), 3.f);
  EXPECT_EQ(parse_json("-0.25", "f").get<float>(), -0.25f);
  EXPECT_THROW(parse_json("1e39", "f").get<float>(), JsonNumberError);
  EXPECT_THROW(parse_json("\"1\"", "f").get<float>(), JsonNumberError);
  EXPECT_EQ(parse_json("1e39", "f").get<double>(), 1e39);
}

TEST(JsonNumbers, AreWrittenAsEver) {
  EXPECT_EQ(nlohmann::json({{"a", int8_t{-3}}, {"b", size_t{7}}, {"c", 0.5f}, {"d", true}}).dump(),
            R"({"a":-3,"b":7,"c":0.5,"d":true})");
}

TEST(JsonText, HoldsNamesThatAreNotUtf8) {
  const nlohmann::ordered_json json = {{"name", "caf\xE9"}, {"all", {{{"a", "\xFF"}}, 1, "ünï"}}};
  EXPECT_EQ(json_text(json), R"({"name":"caf\\xE9","all":[{"a":"\\xFF"},1,"ünï"]})");
  EXPECT_EQ(json_text(nlohmann::json("\xFE"), 2), R"("\\xFE")");
}

}  // namespace
}  // namespace edgeprune
