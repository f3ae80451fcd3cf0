#include "tools/plots/gnuplot.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/cli/text.h"

namespace edgeprune {
namespace {

constexpr int kHeight = 800;
constexpr const char* kFont = kPlotFont;

std::string style(const Series& series) {
  std::string text = series.marker == Marker::none ? "with lines"
                     : series.dash == Dash::none   ? "with points"
                                                   : "with linespoints";
  text += fmt::format(" linecolor rgb '{}' linewidth {}", series.colour, series.line_width);
  if (series.dash != Dash::none) text += fmt::format(" dashtype {}", static_cast<int>(series.dash));
  if (series.marker != Marker::none) {
    text += fmt::format(" pointtype {} pointsize {}", static_cast<int>(series.marker),
                        series.marker_size);
  }
  return text;
}

/// Bars in plots of their own, below the series' points: above, they would blot the markers.
std::string plots_of(const Series& series, const std::string& data) {
  std::string text;
  const auto bars = [&](const char* columns, const char* kind) {
    text += fmt::format("{} using 1:2:{} with {} linecolor rgb '{}' linewidth 1.5 pointtype 0, ",
                        data, columns, kind, series.colour);
  };
  if (!series.y_bars.empty()) bars("3:4", "yerrorbars");
  if (!series.x_bars.empty()) bars("5:6", "xerrorbars");
  return text + fmt::format("{} using 1:2 {}", data, style(series));
}

/// A line a point: x, y, the y bar's ends and the x bar's.
std::string data_of(const Series& series) {
  std::string text;
  for (size_t i = 0; i < series.points.size(); ++i) {
    const auto& [x, y] = series.points[i];
    const auto [bottom, top] = series.y_bars.empty() ? std::pair(y, y) : series.y_bars.at(i);
    const auto [left, right] = series.x_bars.empty() ? std::pair(x, x) : series.x_bars.at(i);
    text += fmt::format("{} {} {} {} {} {}\n", x, y, bottom, top, left, right);
  }
  return text;
}

/// The first series of each name, over all panels.
std::vector<const Series*> legend_entries(const Figure& figure) {
  std::vector<const Series*> entries;
  for (const Panel& panel : figure.panels) {
    for (const Series& series : panel.series) {
      const bool known = std::any_of(entries.begin(), entries.end(), [&](const Series* entry) {
        return entry->name == series.name;
      });
      if (!known && !series.name.empty()) entries.push_back(&series);
    }
  }
  return entries;
}

/// As many as asked for, unless the longest entry would make them wider than the picture.
size_t legend_columns(const Figure& figure, const std::vector<const Series*>& entries) {
  size_t longest = 0;
  for (const Series* entry : entries) longest = std::max(longest, text_columns(entry->name));
  const size_t width = 9 * longest + 125;  // a letter's, a line sample's, in pixels
  return std::clamp<size_t>(kPlotWidth / width, 1, std::max<size_t>(1, figure.legend_columns));
}

std::string data_blocks(const Figure& figure) {
  std::string text;
  for (size_t p = 0; p < figure.panels.size(); ++p) {
    const auto& all = figure.panels[p].series;
    for (size_t s = 0; s < all.size(); ++s) {
      text += fmt::format("$panel{}_series{} << END\n{}END\n", p, s, data_of(all[s]));
    }
  }
  return text;
}

std::string axes(const Figure& figure, double bottom, double top) {
  return fmt::format(
      "set border 3 linecolor rgb '#444444'\n"
      "set tics nomirror out textcolor rgb '#222222'\n"
      "set format '%g'\n"
      "set grid linecolor rgb '#dddddd' linetype 1 linewidth 1\n"
      "set xlabel {}\nset xrange [{}:{}]\nset xtics {}\n"
      "set bmargin at screen {}\nset tmargin at screen {}\n",
      gnuplot_text(figure.x_label), figure.x_low, figure.x_high,
      figure.x_step > 0 ? fmt::format("0,{}", figure.x_step) : "autofreq", bottom, top);
}

/// The y label is a label of its own: gnuplot's moves with the length of the numbers beside it.
std::string panel_plots(const Figure& figure, double middle) {
  std::string text;
  const auto count = static_cast<double>(figure.panels.size());
  for (size_t p = 0; p < figure.panels.size(); ++p) {
    const Panel& panel = figure.panels[p];
    const double left = static_cast<double>(p) / count;
    std::vector<std::string> plots;
    for (size_t s = 0; s < panel.series.size(); ++s) {
      plots.push_back(plots_of(panel.series[s], fmt::format("$panel{}_series{}", p, s)));
    }
    text += fmt::format(
        "set lmargin at screen {}\nset rmargin at screen {}\nset title {} font '{},18'\n"
        "set label 1 {} at screen {},{} center rotate\nset yrange [{}:{}]\nplot {}\n",
        left + 0.095, left + 1 / count - 0.03, gnuplot_text(panel.title), kFont,
        gnuplot_text(panel.y_label), left + 0.02, middle, panel.y_low, panel.y_high,
        fmt::join(plots, ", "));
  }
  return text;
}

/// The title, and the legend as a plot of its own without axes or data, so that it has the whole
/// width.
std::string frame(const Figure& figure, const std::vector<const Series*>& entries,
                  size_t legend_rows, double legend_top) {
  std::string text = fmt::format(
      "unset border\nunset tics\nunset grid\nunset xlabel\nunset title\nunset label 1\n"
      "set lmargin at screen 0\nset rmargin at screen 1\n"
      "set label {} at screen 0.5,0.955 center font '{},22'\n"
      "set key at screen 0.5,{} center top vertical maxrows {} Left reverse samplen 3.5 width 2 "
      "font '{},16'\nplot [0:1] [0:1] NaN notitle",
      gnuplot_text(figure.title), kFont, legend_top, legend_rows, kFont);
  for (const Series* entry : entries) {
    text += fmt::format(", keyentry {} title {}", style(*entry), gnuplot_text(entry->name));
  }
  return text + "\n";
}

std::string script(const Figure& figure, ImageFormat format) {
  const std::vector<const Series*> entries = legend_entries(figure);
  const size_t columns = legend_columns(figure, entries);
  const size_t legend_rows = std::max<size_t>(1, (entries.size() + columns - 1) / columns);
  const double legend_top = 0.025 + 0.033 * static_cast<double>(legend_rows);
  std::string text = gnuplot_terminal(format, kPlotWidth, kHeight);
  text += data_blocks(figure) + "set multiplot\nset key off\n";
  const double bottom = legend_top + 0.125, top = figure.panels.front().title.empty() ? 0.9 : 0.855;
  text += axes(figure, bottom, top) + panel_plots(figure, (bottom + top) / 2);
  return text + frame(figure, entries, legend_rows, legend_top) + "unset multiplot\n";
}

}  // namespace

std::string draw(const Figure& figure, ImageFormat format) {
  return run_gnuplot(script(figure, format));
}

}  // namespace edgeprune
