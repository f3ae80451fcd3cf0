#include "tools/plots/heat_map.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

// Pixels.
constexpr int kRowHeight = 25, kLineHeight = 21, kTop = 115, kBottom = 150;
constexpr int kLeft = 372, kRight = 138;  // at least
constexpr double kLetter = 8.5;           // of a remark
constexpr double kGap = 0.4;              // rows
constexpr double kDeepest = 2;  // binary logarithm of the ratio from which on the colour is full
constexpr double kDark = 1.3;   // from there on numbers in white can be read better

/// Where each row's middle is, counted in rows from the top edge.
std::vector<double> middles(const HeatMap& map) {
  std::vector<double> result;
  double y = 0.5;
  for (const HeatMap::Row& row : map.rows) {
    if (row.gap_above) y += kGap;
    result.push_back(y);
    y += 1;
  }
  return result;
}

/// How one kind of numbers is drawn: `depth` goes from `low` to `high` along the palette.
struct Scale {
  double low, high;
  std::string palette, tics;
  bool (*valid)(double value);
  double (*depth)(double value);
  std::string (*number)(double value);  ///< of at most four characters: 0.85, 14.2
  bool (*dark)(double depth);           ///< do numbers in white read better?
};

Scale scale(Shade shade) {
  if (shade == Shade::share) {
    return {0,
            1,
            "0 '#ffffff', 0.5 '#6fb1dc', 1 '#00406b'",
            "'0 %%' 0, '25 %%' 0.25, '50 %%' 0.5, '75 %%' 0.75, '100 %%' 1",
            [](double share) { return share >= 0 && share <= 1; },
            [](double share) { return share; },
            [](double share) { return fmt::format("{:.0f}", 100 * share); },
            [](double depth) { return depth > 0.65; }};
  }
  if (shade == Shade::points) {
    // Logarithmic, so that one point can be told from none, and 30 from 15: log2(1 + points).
    return {-5, 5, "-5 '#004d7f', -2.5 '#6fb1dc', 0 '#ffffff', 2.5 '#f0a35e', 5 '#b34700'",
            "'3 gained' -2, '1' -1, '0' 0, '1 lost' 1, '3' 2, '7' 3, '15' 4, '31 or more' 5",
            [](double points) { return std::isfinite(points); },
            [](double points) {
              const double depth = std::copysign(std::log2(1 + std::abs(points)), points);
              return std::clamp(depth, -5.0, 5.0);
            },
            // Not "-0.0".
            [](double points) { return fmt::format("{:.1f}", std::round(10 * points) / 10 + 0.0); },
            [](double depth) { return std::abs(depth) > 3.5; }};
  }
  return {-kDeepest,
          kDeepest,
          "-2 '#b34700', -1 '#f0a35e', 0 '#ffffff', 1 '#6fb1dc', 2 '#004d7f'",
          "'¼ or less' -2, '½' -1, '1: as fast as dense' 0, '2' 1, '4 or more' 2",
          [](double ratio) { return ratio > 0 && std::isfinite(ratio); },
          [](double ratio) { return std::clamp(std::log2(ratio), -kDeepest, kDeepest); },
          [](double ratio) { return fmt::format("{:.{}f}", ratio, ratio < 9.995 ? 2 : 1); },
          [](double depth) { return std::abs(depth) > kDark; }};
}

/// Cells as "x y colour number".
std::string cells(const HeatMap& map, const std::vector<double>& y) {
  const Scale how = scale(map.shade);
  std::string all = "$cells << END\n", light = "$light << END\n", dark = "$dark << END\n";
  for (size_t r = 0; r < map.rows.size(); ++r) {
    for (size_t c = 0; c < map.columns.size(); ++c) {
      const double value = map.rows[r].ratios[c];
      if (!how.valid(value)) continue;
      const double depth = how.depth(value);
      all += fmt::format("{} {} {}\n", c, y[r], depth);
      (how.dark(depth) ? dark : light) += fmt::format("{} {} \"{}\"\n", c, y[r], how.number(value));
    }
  }
  // An empty block would be an error: a point outside the axes keeps it from that.
  const std::string outside = "-9 -9 \"\"\n";
  return all + "-9 -9 0\nEND\n" + light + outside + "END\n" + dark + outside + "END\n";
}

/// gnuplot takes the text of a tic for a number's format. Line breaks stay.
std::string tic_text(const std::string& name) {
  std::string format;
  for (const char c : name) format += c == '%' ? "%%" : std::string(1, c);
  std::string text = gnuplot_text(format.substr(0, format.find('\n')));
  for (size_t at = format.find('\n'); at != std::string::npos;) {
    const size_t end = format.find('\n', at + 1);
    const std::string line = gnuplot_text(format.substr(at + 1, end - at - 1));
    text.replace(text.size() - 1, 1, "\\n" + line.substr(1));
    at = end;
  }
  return text;
}

/// Lines of the column with the most.
int column_lines(const HeatMap& map) {
  std::ptrdiff_t most = 1;
  for (const std::string& name : map.columns) {
    most = std::max(most, 1 + std::count(name.begin(), name.end(), '\n'));
  }
  return static_cast<int>(most);
}

std::string tics(const std::vector<std::string>& names, const std::vector<double>& at) {
  std::vector<std::string> tics;
  for (size_t i = 0; i < names.size(); ++i) {
    tics.push_back(fmt::format("{} {}", tic_text(names[i]), at[i]));
  }
  return fmt::format("({})", fmt::join(tics, ", "));
}

/// Pixels right of the cells, so that no remark is cut off; the cells keep two fifths of the picture.
int right_margin(const HeatMap& map) {
  size_t longest = map.remark_heading.size();
  for (const HeatMap::Row& row : map.rows) longest = std::max(longest, row.remark.size());
  return std::clamp(static_cast<int>(kLetter * double(longest)) + 24, kRight,
                    kPlotWidth * 3 / 5 - kLeft);
}

std::string script(const HeatMap& map, ImageFormat format) {
  const std::vector<double> y = middles(map);
  const double rows = y.back() + 0.5;
  const int below = kBottom + kLineHeight * (column_lines(map) - 1);
  const int height = kTop + below + static_cast<int>(std::lround(rows * kRowHeight));
  const Scale how = scale(map.shade);
  std::vector<std::string> names, remarks;
  for (const HeatMap::Row& row : map.rows) {
    names.push_back(row.name);
    remarks.push_back(row.remark);
  }
  std::vector<double> x(map.columns.size());
  for (size_t c = 0; c < x.size(); ++c) x[c] = static_cast<double>(c);
  const double top = 1 - double(kTop) / height, bottom = double(below) / height;
  const double left = double(kLeft) / kPlotWidth;
  const double right = 1 - double(right_margin(map)) / kPlotWidth;
  const auto from_top = [&](int pixels) { return 1 - double(pixels) / height; };
  std::string text = gnuplot_terminal(format, kPlotWidth, height) + cells(map, y);
  text += fmt::format(
      "set label 1 {} at screen 0.5,{} center font '{},22'\n"
      "set label 2 {} at screen 0.5,{} center font '{},16' textcolor rgb '#444444'\n"
      "set label 3 {} at screen {},{} left font '{},14' textcolor rgb '#444444'\n",
      gnuplot_text(map.title), from_top(28), kPlotFont, gnuplot_text(map.subtitle), from_top(62),
      kPlotFont, gnuplot_text(map.remark_heading), right + 0.012, from_top(kTop - 14), kPlotFont);
  text += fmt::format(
      "unset border\nset key off\nset xtics scale 0 font '{},{}' {}\nset xlabel {}\n"
      "set ytics scale 0 font '{},14' {}\nset y2tics scale 0 font '{},14' {}\n"
      "set xrange [-0.5:{}]\nset yrange [{}:0]\nset y2range [{}:0]\n"
      "set lmargin at screen {}\nset rmargin at screen {}\n"
      "set bmargin at screen {}\nset tmargin at screen {}\n",
      kPlotFont, column_lines(map) > 1 ? 11 : 17, tics(map.columns, x), gnuplot_text(map.x_label),
      kPlotFont, tics(names, y), kPlotFont, tics(remarks, y), double(x.size()) - 0.5, rows, rows,
      left, right, bottom, top);
  text += fmt::format(
      "set palette defined ({})\nset cbrange [{}:{}]\n"
      "set colorbox horizontal user origin {},{} size {},{}\n"
      "set cbtics scale 0 font '{},14' ({})\n",
      how.palette, how.low, how.high, left, 48.0 / height, right - left, 16.0 / height, kPlotFont,
      how.tics);
  return text + fmt::format(
                    "plot $cells using 1:2:(0.5):(0.5):3 with boxxyerror linecolor palette "
                    "fillstyle solid 1 border linecolor rgb '#ffffff', "
                    "$light using 1:2:3 with labels font '{0},13' textcolor rgb '#222222', "
                    "$dark using 1:2:3 with labels font '{0},13' textcolor rgb '#ffffff'\n",
                    kPlotFont);
}

}  // namespace

std::string draw(const HeatMap& map, ImageFormat format) {
  require(!map.rows.empty() && !map.columns.empty(), "heat map", "there is no cell to draw");
  for (const HeatMap::Row& row : map.rows) {
    require(row.ratios.size() == map.columns.size(), "heat map",
            "row '{}' has {} ratios for {} columns", row.name, row.ratios.size(),
            map.columns.size());
  }
  return run_gnuplot(script(map, format));
}

}  // namespace edgeprune
