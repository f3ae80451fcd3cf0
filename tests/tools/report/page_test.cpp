#include "tools/report/page.h"

#include <gtest/gtest.h>

#include "tests/support/expect_contains.h"

namespace edgeprune {
namespace {

using testing::expect_contains;

Table sample_table(const std::string& name) {
  Table table({{"name", "name", Align::left}, {"accuracy %", "accuracy"}});
  table.add_row({name, Number{91.716, 2}});
  return table;
}

Page sample_page(const std::string& text) {
  return {.title = "Title " + text,
          .lead = "Lead " + text,
          .blocks = {Heading{"Part " + text}, Paragraph{"Paragraph " + text},
                     List{{"first " + text, "second"}},
                     Statement{"confirmed", Tone::good, "claim " + text, {"Reason " + text}},
                     TableBlock{sample_table("cell " + text), "table caption " + text},
                     PictureBlock{"plots/a.svg", "picture " + text, "caption " + text,
                                  "<svg viewBox='0 0 1 1'><g id='x'></g></svg>"}}};
}

TEST(Page, MarkdownHasEveryBlock) {
  EXPECT_EQ(to_markdown(sample_page("T")),
            "# Title T\n\nLead T\n\n## Part T\n\nParagraph T\n\n- first T\n- second\n\n"
            "**Confirmed: claim T.** Reason T\n\n"
            "| name   | accuracy % |\n|:-------|-----------:|\n| cell T |      91.72 |\n\n"
            "table caption T\n\n![picture T](plots/a.svg)\n\ncaption T\n");
}

TEST(Page, HtmlHasEveryBlockAndAContents) {
  const std::string html = to_html(sample_page("T"));
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
  for (const std::string part :
       {"<title>Title T</title>", "<h1>Title T</h1>", "Lead T", "<h2 id=\"s1\">Part T</h2>",
        "<a href=\"#s1\">Part T</a>", "<p>Paragraph T</p>", "<li>first T</li>",
        "<div class=\"verdict good\"><span class=\"label\">confirmed</span>", "Reason T",
        "<th class=\"left\">name</th>", "<td class=\"left\">cell T</td>", "<td>91.72</td>",
        "table caption T", "aria-label=\"picture T\"", "id='p1-x'", "caption T"}) {
    expect_contains(html, part);
  }
}

TEST(Page, HtmlFitsNarrowWindows) {
  const std::string html = to_html(sample_page("T"));
  expect_contains(html, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
  expect_contains(html, "<div class=\"scroll\" tabindex=\"0\"><table>");
  expect_contains(html, "<div class=\"scroll\" tabindex=\"0\"><svg");
}

TEST(Page, RowsOfWideTablesBecomeCardsInNarrowWindows) {
  Table table({{"name", "name"}, {"a", "a"}, {"b", "b"}, {"c", "c"}, {"recall \"x\" %", "d"}});
  table.add_row({"half", Number{1, 1}, Number{2, 1}, Number{3, 1}, Cell()});
  const std::string html = to_html({.title = "T", .lead = "", .blocks = {TableBlock{table, ""}}});
  expect_contains(html, "<table class=\"cards\">");
  expect_contains(html, "<td data-column=\"b\">2.0</td>");
  expect_contains(html, "<td data-column=\"recall &quot;x&quot; %\"></td>");
  expect_contains(html, ".cards td::before { content: attr(data-column)");
}

TEST(Page, TextIsNeverMarkup) {
  const std::string attack = "<script>alert('1')</script> \" onload=\"x";
  const std::string html = to_html(sample_page(attack));
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  EXPECT_EQ(html.find("\" onload=\""), std::string::npos);
  size_t escaped = 0;
  for (size_t at = 0; (at = html.find("&lt;script&gt;", at)) != std::string::npos; ++at) ++escaped;
  EXPECT_EQ(escaped, 13u);  // every text above, the title and the heading twice
  Page page{.title = attack, .lead = "*x* `y` [z](w) p < 0.05", .blocks = {}};
  EXPECT_EQ(
      to_markdown(page),
      "# &lt;script>alert('1')&lt;/script> \" onload=\"x\n\n\\*x\\* \\`y\\` \\[z](w) p < 0.05\n");
}

TEST(Page, HtmlNeedsNothingElse) {
  const std::string html = to_html(sample_page("T"));
  for (const std::string part : {"http:", "https:", "//", "<link", "src=", "@import", "url("}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace edgeprune
