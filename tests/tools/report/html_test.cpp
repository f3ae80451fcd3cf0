#include "tools/report/html.h"

#include <gtest/gtest.h>

namespace edgeprune {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Html, MarkupBecomesText) {
  EXPECT_EQ(html_escaped("<a href=\"x\">&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(html_escaped("1×1 – ½"), "1×1 – ½");
  EXPECT_EQ(html_escaped(""), "");
}

TEST(Html, WhatIsNoTextBecomesAReplacementCharacter) {
  for (const std::string bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x01"}) {
    EXPECT_TRUE(html_escaped("a" + bad + "b").starts_with("a\uFFFD")) << bad;
    EXPECT_TRUE(html_escaped("a" + bad + "b").ends_with("b")) << bad;
  }
  EXPECT_EQ(html_escaped(std::string("a\0b", 3)), "a\uFFFDb");
}

constexpr const char* kSvg =
    "<?xml version=\"1.0\"?>\n<svg \n viewBox=\"0 0 4 3\"\n xmlns=\"http://www.w3.org/2000/svg\"\n"
    " xmlns:xlink=\"http://www.w3.org/1999/xlink\"\n>\n<title>Gnuplot</title>\n<desc>Produced</"
    "desc>"
    "<defs><circle id='gpPt5'/><use xlink:href='#gpPt5' id='gpPt6'/></defs>"
    "<g id=\"canvas\" fill=\"url(#gpPt6)\"></g></svg>\n";

TEST(Html, PicturesKeepTheirIdsToThemselves) {
  const std::string svg = inline_svg(kSvg, "p7-", "a \"plot\"");
  EXPECT_TRUE(svg.starts_with("<svg role=\"img\" aria-label=\"a &quot;plot&quot;\"")) << svg;
  EXPECT_TRUE(contains(svg, "id='p7-gpPt5'")) << svg;
  EXPECT_TRUE(contains(svg, " href='#p7-gpPt5'")) << svg;
  EXPECT_TRUE(contains(svg, "url(#p7-gpPt6)")) << svg;
  EXPECT_TRUE(contains(svg, "id=\"p7-canvas\"")) << svg;
  EXPECT_TRUE(contains(svg, "viewBox=\"0 0 4 3\"")) << svg;
}

TEST(Html, PicturesNameNoOtherPlace) {
  const std::string svg = inline_svg(kSvg, "p1-", "plot");
  for (const std::string part : {"http", "xml", "Gnuplot", "Produced"}) {
    EXPECT_FALSE(contains(svg, part)) << part << " in " << svg;
  }
  EXPECT_EQ(inline_svg("no picture", "p", "x"), "");
}

}  // namespace
}  // namespace edgeprune
