#include "tools/cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "engine/base/check.h"
#include "engine/base/timer.h"
#include "tools/cli/text.h"

namespace edgeprune {
namespace {

constexpr double kQuietSeconds = 2, kRedrawSeconds = 0.1, kLineSeconds = 10;
constexpr int kShortestBar = 8, kLongestBar = 30;
thread_local int hidden = 0;  ///< HiddenProgress that live

int terminal_columns() {
  const char* kind = std::getenv("TERM");
  if (!::isatty(STDERR_FILENO) || (kind != nullptr && std::string_view(kind) == "dumb")) return 0;
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string rate_text(double rate) {
  return fmt::format("{:.{}f}", rate, rate >= 100 ? 0 : rate >= 10 ? 1 : 2);
}

}  // namespace

ProgressSink stderr_sink() {
  return {.write = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); },
          .columns = terminal_columns,
          .seconds = [clock = Stopwatch()] { return clock.seconds(); }};
}

Progress::Progress(std::string label, int64_t total, std::string unit, ProgressSink sink)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      sink_(std::move(sink)),
      total_(total),
      start_(sink_.seconds()),
      hidden_(hidden > 0) {
  require(total >= 0, "progress", "total must not be negative, got {}", total);
}

Progress::~Progress() {
  try {
    finish();
  } catch (...) {  // progress is decoration: it must not turn an unwinding stack into an abort
  }
}

void Progress::advance(int64_t count, std::string_view detail) {
  done_ += count;
  detail_ = detail;
  if (hidden_) return;
  const double elapsed = sink_.seconds() - start_;
  if (elapsed < kQuietSeconds || elapsed - shown_ < kRedrawSeconds) return;
  if (done_ == skipped_) return;  // no rate yet
  if (sink_.columns() == 0 && elapsed - shown_ < kLineSeconds) return;
  const auto left = static_cast<double>(std::max<int64_t>(total_ - done_, 0));
  show(elapsed, duration(left / rate(elapsed)) + " left");
}

void Progress::skip(int64_t count) {
  done_ += count;
  skipped_ += count;
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (hidden_) return;
  const double elapsed = sink_.seconds() - start_;
  if (elapsed < kQuietSeconds) return;
  show(elapsed, duration(elapsed));
  if (sink_.columns() > 0) sink_.write("\n");
}

HiddenProgress::HiddenProgress() {
  ++hidden;
}

HiddenProgress::~HiddenProgress() {
  --hidden;
}

double Progress::rate(double elapsed) const {
  return static_cast<double>(done_ - skipped_) / elapsed;
}

void Progress::show(double elapsed, std::string_view time) {
  shown_ = elapsed;
  const int columns = sink_.columns();
  const std::string text = line(elapsed, time, columns);
  constexpr const char* kClearRest = "\x1b[K";
  sink_.write(columns > 0 ? '\r' + text + kClearRest : text + '\n');
}

std::string Progress::line(double elapsed, std::string_view time, int columns) const {
  const double share =
      total_ > 0 ? std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_)) : 1.0;
  const std::string percent = fmt::format(" {:3.0f} %", 100 * share);
  const std::string count = fmt::format("  {}/{} {}", done_, total_, unit_);
  const std::string rest = fmt::format("  {} {}/s  {}{}{}", rate_text(rate(elapsed)), unit_, time,
                                       detail_.empty() ? "" : "  ", detail_);
  if (columns == 0) return label_ + percent + count + rest;

  // Too narrow for all of it: the count goes first, then the bar, then the end of the line.
  const int room = columns - 1;  // a full last column makes some terminals wrap
  for (const std::string& tail : {percent + count + rest, percent + rest}) {
    const int bar = std::min(room - static_cast<int>(text_columns(label_) + text_columns(tail)) - 3,
                             kLongestBar);
    if (bar < kShortestBar) continue;
    const auto filled = static_cast<size_t>(share * bar);
    return fmt::format("{} [{}{}]{}", label_, std::string(filled, '#'),
                       std::string(static_cast<size_t>(bar) - filled, '.'), tail);
  }
  return std::string(clip_text(label_ + percent + rest, static_cast<size_t>(std::max(room, 0))));
}

}  // namespace edgeprune
