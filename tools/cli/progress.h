#pragma once
// How far long work has come, for the person waiting.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace edgeprune {

/// Where progress goes, and the clock it goes by.
struct ProgressSink {
  std::function<void(std::string_view)> write;
  std::function<int()> columns;     ///< the terminal's width at this moment; 0 if it is no terminal
  std::function<double()> seconds;  ///< a monotonic clock
};

/// Standard error: numbers go to stdout, progress never mixes with them.
ProgressSink stderr_sink();

/// Share done, rate and time left of `total` units of work. On a terminal one line, redrawn at most
/// ten times a second and never wrapped; elsewhere a line every ten seconds and one at the end.
/// Work that ends within two seconds shows nothing. For use by one thread.
class Progress {
 public:
  /// `label`: "epoch 3/15". `unit`: what is counted, in the plural: "images".
  /// Throws std::invalid_argument if total is negative.
  Progress(std::string label, int64_t total, std::string unit, ProgressSink sink = stderr_sink());
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `count` more units are done. `detail` is shown behind the rest ("loss 0.71 acc 77.2 %") until
  /// the next one.
  void advance(int64_t count, std::string_view detail = {});

  /// `count` units were done in an earlier run: they count as done, but not towards rate and time
  /// left.
  void skip(int64_t count);

  /// Shows the final state, with the time taken, and ends the line. The destructor does so too, if
  /// nobody did before.
  void finish();

 private:
  double rate(double elapsed) const;
  void show(double elapsed, std::string_view time);
  std::string line(double elapsed, std::string_view time, int columns) const;

  std::string label_, unit_, detail_;
  ProgressSink sink_;
  int64_t total_, done_ = 0, skipped_ = 0;
  double start_, shown_ = 0;  ///< shown_: seconds after start_
  bool finished_ = false;
  bool hidden_;
};

/// While it lives, work that begins on this thread shows no progress: it is a part of other work,
/// which shows its own.
class HiddenProgress {
 public:
  HiddenProgress();
  ~HiddenProgress();
  HiddenProgress(const HiddenProgress&) = delete;
  HiddenProgress& operator=(const HiddenProgress&) = delete;
};

}  // namespace edgeprune
