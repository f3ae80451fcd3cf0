#pragma once
// The program gnuplot, and text that it takes.

#include <stdexcept>
#include <string>

namespace edgeprune {

/// gnuplot is missing or failed; one line that says which.
class PlotError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class ImageFormat { svg, png };

inline constexpr const char* kPlotFont = "sans-serif";
inline constexpr int kPlotWidth = 1200;  ///< pixels

/// A gnuplot string in which only letters and spaces stand for themselves: no quote, backquote
/// (which would run a command), @macro or backslash of the text is ever seen by gnuplot's parser.
/// Nor a digit: it takes any number of them for part of the octal code before.
std::string gnuplot_text(const std::string& text);

/// The lines that a script begins with.
std::string gnuplot_terminal(ImageFormat format, int width, int height);

/// What gnuplot, given the script, wrote to its standard output: an image file's bytes. Throws
/// PlotError.
std::string run_gnuplot(const std::string& script);

}  // namespace edgeprune
