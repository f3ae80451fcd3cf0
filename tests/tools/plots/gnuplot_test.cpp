#include "tools/plots/gnuplot.h"

#include <gtest/gtest.h>
#include <filesystem>

#include "tests/support/paths.h"
#include "tests/support/require_gnuplot.h"

namespace edgeprune {
namespace {

Figure sample_figure() {
  const Series rising{
      .name = "rising", .colour = "#0072b2", .marker = Marker::circle, .points = {{0, 1}, {50, 2}}};
  return {.title = "Title",
          .x_label = "x",
          .x_high = 100,
          .panels = {{.y_high = 3, .series = {rising}}}};
}

TEST(Gnuplot, DrawsPngAndSvg) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const std::string png = draw(sample_figure(), ImageFormat::png);
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(png.substr(16, 8), std::string("\0\0\x04\xb0\0\0\x03\x20", 8));  // 1200 x 800
  const std::string svg = draw(sample_figure(), ImageFormat::svg);
  EXPECT_NE(svg.find("<svg"), std::string::npos);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
  EXPECT_NE(svg.find("rising"), std::string::npos);
}

TEST(Gnuplot, TextIsShownAsItStandsAndNeverRun) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const testing::TemporaryFolder folder;
  const std::string touched = folder.file("touched");
  for (const std::string& attack :
       {"`touch " + touched + "`", "'.system('touch " + touched + "').'",
        "\"; system(\"touch " + touched + "\")", "\n! touch " + touched + "\n",
        "'\nsystem 'touch " + touched + "'\n", "$(touch " + touched + ")"}) {
    Figure figure = sample_figure();
    figure.title = figure.x_label = attack;
    figure.panels[0].title = figure.panels[0].y_label = figure.panels[0].series[0].name = attack;
    EXPECT_NO_THROW(draw(figure, ImageFormat::svg)) << attack;
    EXPECT_FALSE(std::filesystem::exists(touched)) << attack;
  }
  Figure figure = sample_figure();
  for (const std::string text :
       {"a_b^c {x} @d \\n it's", "3×3, 1 thread,64 (9000%d) \\060", "ü\\"}) {
    figure.title = text;
    EXPECT_NE(draw(figure, ImageFormat::svg).find(">" + text + "</text>"), std::string::npos)
        << text;
  }
  figure.title = "<a&b>";
  EXPECT_NE(draw(figure, ImageFormat::svg).find("&lt;a&amp;b"), std::string::npos);
}

TEST(Gnuplot, ErrorBarsAreDrawn) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  Figure figure = sample_figure();
  const size_t plain = draw(figure, ImageFormat::svg).size();
  figure.panels[0].series[0].y_bars = {{0.5, 1.5}, {1.5, 2.5}};
  const size_t upright = draw(figure, ImageFormat::svg).size();
  EXPECT_GT(upright, plain);
  figure.panels[0].series[0].x_bars = {{0, 3}, {40, 60}};
  EXPECT_GT(draw(figure, ImageFormat::svg).size(), upright);
}

TEST(Gnuplot, AnEmptySeriesIsNoError) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  Figure figure = sample_figure();
  figure.panels[0].series.push_back({.name = "empty", .colour = "#000000"});
  EXPECT_NE(draw(figure, ImageFormat::svg).find("empty"), std::string::npos);
}

}  // namespace
}  // namespace edgeprune
