#include "engine/base/strict_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

TEST(StrictJson, WhatIsThereIsTakenAndTheRestStays) {
  StrictObject object(parse_json(R"({"a": 3, "b": [1, 2], "c": true, "d": 2})", "f"), "f");
  int64_t a = 0, missing = 7;
  std::vector<int> b{9};
  bool c = false;
  double d = 0;
  object.get("a", a, 0, 10);
  object.get("missing", missing, 0, 10);
  object.get("b", b, 0, 10);
  object.get("c", c);
  object.get("d", d, 0, 10);
  EXPECT_NO_THROW(object.finish());
  EXPECT_EQ(a, 3);
  EXPECT_EQ(missing, 7);
  EXPECT_EQ(b, (std::vector<int>{1, 2}));
  EXPECT_TRUE(c);
  EXPECT_EQ(d, 2) << "a whole number is a number";
}

TEST(StrictJson, RedGreenAndBlueMayBeAlike) {
  StrictObject object(parse_json(R"({"a": [0, 1, 0], "b": [0, 1], "c": [0, 1, 1.5], "d": 1,
                                     "e": [0, 1, "x"]})",
                                 "f"),
                      "f");
  std::vector<float> value{9};
  object.get_three("missing", value, 0, 1);
  EXPECT_EQ(value, (std::vector<float>{9}));
  object.get_three("a", value, 0, 1);
  EXPECT_EQ(value, (std::vector<float>{0, 1, 0}));
  const auto error = [&](const char* key) {
    return message_of<FileError>([&] { object.get_three(key, value, 0, 1); });
  };
  EXPECT_EQ(error("b"), "f: b: expected three numbers, got [0,1]");
  EXPECT_EQ(error("c"), "f: c: expected numbers from 0 to 1, got 1.5");
  EXPECT_THAT(error("d"), HasSubstr("f: d: expected a list"));
  EXPECT_EQ(error("e"), "f: e: expected numbers from 0 to 1, got \"x\"");
}

TEST(StrictJson, ListsHaveOnlyDifferentEntries) {
  StrictObject object(parse_json(R"({"a": ["x", "y", "x"]})", "f"), "f");
  std::vector<std::string> a;
  EXPECT_THAT(message_of<FileError>([&] { object.get("a", a); }),
              HasSubstr("f: a[2]: \"x\" is there twice"));
}

TEST(StrictJson, OneEntryNeedsNoBrackets) {
  StrictObject object(parse_json(R"({"a": "x", "b": ["x", "y"], "c": 3})", "f"), "f");
  std::vector<std::string> value{"before"};
  object.get_one_or_more("missing", value);
  EXPECT_EQ(value, std::vector<std::string>{"before"});
  object.get_one_or_more("a", value);
  EXPECT_EQ(value, std::vector<std::string>{"x"});
  object.get_one_or_more("b", value);
  EXPECT_EQ(value, (std::vector<std::string>{"x", "y"}));
  EXPECT_THAT(message_of<FileError>([&] { object.get_one_or_more("c", value); }),
              HasSubstr("f: c: expected a list"));
}

TEST(StrictJson, ListsHaveAThousandEntriesAtMost) {
  nlohmann::json list = nlohmann::json::array();
  for (int i = 0; i < 1000; ++i) list.push_back(i);
  std::vector<int> a;
  StrictObject({{"a", list}}, "f").get("a", a, 0, 2000);
  EXPECT_EQ(a.size(), 1000u);
  list.push_back(1000);
  StrictObject object({{"a", list}}, "f");
  EXPECT_EQ(message_of<FileError>([&] { object.get("a", a, 0, 2000); }),
            "f: a: expected a list of at most 1000, got 1001");
}

TEST(StrictJson, MessagesQuoteOnlyTheBeginningOfALongValue) {
  StrictObject object({{"a", std::string(100'000, 'x')}}, "f");
  int64_t a = 0;
  EXPECT_LT(message_of<FileError>([&] { object.get("a", a, 0, 1); }).size(), 200u);
  EXPECT_LT(message_of<FileError>([&] {
              object.get_parsed("a", a, [](const std::string& text) -> int64_t {
                throw std::invalid_argument(text);
              });
            }).size(),
            500u);
}

TEST(StrictJson, KeysThatNobodyAskedForAreErrors) {
  StrictObject object(parse_json(R"({"epoch": 3})", "f"), "f", "baseline");
  int64_t epochs = 0;
  object.get("epochs", epochs, 0, 10);
  EXPECT_EQ(message_of<FileError>([&] { object.finish(); }),
            "f: baseline.epoch: unknown key; known are epochs");
}

TEST(StrictJson, TheSameKeyMayBeInSeveralObjects) {
  EXPECT_NO_THROW(parse_json(R"({"a": {"x": 1}, "b": {"x": 1}})", "f"));
  EXPECT_THAT(message_of<FileError>([] { parse_json(R"({"a": {"x": 1, "x": 1}})", "f"); }),
              HasSubstr("\"x\" is there twice"));
}

TEST(StrictJson, NestingHasItsPath) {
  StrictObject root(parse_json(R"({"list": [{"in": {"n": 1}}, {"in": {"n": "x"}}]})", "f"), "f");
  std::vector<StrictObject> list = root.list("list");
  ASSERT_EQ(list.size(), 2u);
  int64_t n = 0;
  list[0].object("in").get("n", n, 0, 10);
  EXPECT_EQ(n, 1);
  EXPECT_EQ(message_of<FileError>([&] { list[1].object("in").get("n", n, 0, 10); }),
            "f: list[1].in.n: expected a whole number from 0 to 10, got \"x\"");
}

}  // namespace
}  // namespace edgeprune
