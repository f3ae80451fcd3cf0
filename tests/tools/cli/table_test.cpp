#include "tools/cli/table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/json.h"

namespace edgeprune {
namespace {

Table sample() {
  Table table(
      {{"layer", "name", Align::left}, {"params", "parameters"}, {"accuracy %", "accuracy"}});
  table.add_row({"stem", int64_t{864}, Number{91.0 + 1.0 / 3, 2}});
  table.add_row({"3×3|b", int64_t{-12345678}, {}});
  return table;
}

TEST(Table, MarkdownLinesUpAndEscapesBars) {
  EXPECT_EQ(sample().render(Format::md),
            "| layer  |    params | accuracy % |\n"
            "|:-------|----------:|-----------:|\n"
            "| stem   |       864 |      91.33 |\n"
            "| 3×3\\|b | -12345678 |            |\n");
}

TEST(Table, MarkdownKeepsARowOnOneLine) {
  Table table({Column{"text", "text", Align::left}});
  table.add_row({"a\nb\rc"});
  EXPECT_EQ(table.render(Format::md), "| text  |\n|:------|\n| a b c |\n");
}

TEST(Table, CsvQuotesWhatRfc4180Asks) {
  Table table({{"plain", "a"}, {"with, comma", "b"}});
  table.add_row({"say \"hi\"", "two\nlines"});
  table.add_row({{}, Number{0.12345, 3}});
  EXPECT_EQ(table.render(Format::csv),
            "plain,\"with, comma\"\n"
            "\"say \"\"hi\"\"\",\"two\nlines\"\n"
            ",0.123\n");
}

TEST(Table, JsonKeepsFullPrecisionTypesAndColumnOrder) {
  const std::string text = sample().render(Format::json);
  const auto rows = nlohmann::ordered_json::parse(text);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["accuracy"].get<double>(), 91.0 + 1.0 / 3);
  EXPECT_TRUE(rows[0]["parameters"].is_number_integer());
  EXPECT_EQ(rows[1]["parameters"], -12345678);
  EXPECT_EQ(rows[1]["name"], "3×3|b");
  EXPECT_TRUE(rows[1]["accuracy"].is_null());
  EXPECT_EQ(rows[0].begin().key(), "name");
  EXPECT_EQ(text.back(), '\n');
}

TEST(Table, WhatIsStructuredIsTextForPeopleAndJsonForPrograms) {
  Table table({Column{"shape", "shape"}});
  table.add_row({Structured{"[3,4]", {3, 4}}});
  EXPECT_EQ(table.render(Format::csv), "shape\n\"[3,4]\"\n");
  EXPECT_EQ(nlohmann::json::parse(table.render(Format::json))[0]["shape"],
            nlohmann::json::array({3, 4}));
}

TEST(Table, JsonHoldsIntegersThatADoubleCannot) {
  Table table({Column{"n", "n"}});
  table.add_row({std::numeric_limits<int64_t>::max()});
  EXPECT_EQ(nlohmann::json::parse(table.render(Format::json))[0]["n"].get<int64_t>(),
            std::numeric_limits<int64_t>::max());
}

TEST(Table, JsonIsValidWhateverTheCellsHold) {
  Table table({{"a", "a"}, {"b", "b"}, {"c", "c"}});
  table.add_row({"no utf-8: \xff\xfe", Number{std::nan(""), 2}, Number{INFINITY, 2}});
  const auto rows = nlohmann::json::parse(table.render(Format::json));
  EXPECT_EQ(rows[0]["a"], "no utf-8: \\xFF\\xFE");
  EXPECT_TRUE(rows[0]["b"].is_null());
  EXPECT_TRUE(rows[0]["c"].is_null());
}

TEST(Table, WithoutRowsEveryFormatIsStillValid) {
  const Table table({{"a", "a", Align::left}, {"b", "b"}});
  EXPECT_EQ(table.render(Format::md), "| a  |  b |\n|:---|---:|\n");
  EXPECT_EQ(table.render(Format::csv), "a,b\n");
  EXPECT_EQ(table.render(Format::json), "[]\n");
}

TEST(Table, RoundedZeroHasNoMinusSign) {
  Table table({Column{"a", "a"}});
  table.add_row({Number{-0.0001, 2}});
  table.add_row({Number{-0.01, 2}});
  EXPECT_EQ(table.render(Format::csv), "a\n0.00\n-0.01\n");
}

TEST(Table, RowOfAnotherLengthIsRejected) {
  Table table({{"a", "a"}, {"b", "b"}});
  EXPECT_THROW(table.add_row({int64_t{1}}), std::invalid_argument);
  EXPECT_THROW(table.add_row({int64_t{1}, int64_t{2}, int64_t{3}}), std::invalid_argument);
}

TEST(Table, FormatNamesAreParsedAndOthersListTheChoices) {
  EXPECT_EQ(parse_format("md"), Format::md);
  EXPECT_EQ(parse_format("csv"), Format::csv);
  EXPECT_EQ(parse_format("json"), Format::json);
  for (const char* wrong : {"", "xml", "MD", "jsonl"}) {
    try {
      parse_format(wrong);
      FAIL() << wrong;
    } catch (const std::invalid_argument& error) {
      EXPECT_STREQ(error.what(),
                   ("[format] expected md, csv or json, got '" + std::string(wrong) + "'").c_str());
    }
  }
}

}  // namespace
}  // namespace edgeprune
