#pragma once

#include <cstdint>

namespace edgeprune::simd {

/// Fetches what the next block will read and write into the second-level cache while this block is being
/// computed. (Streaming a block in and computing on it in turns, a core waits for memory half of its
/// time.)
class Ahead {
 public:
  /// Rows [begin, end) of [rows, columns], which may be null.
  void read(const float* data, int64_t columns, int64_t begin, int64_t end) {
    add(data, columns, begin, end, false);
  }
  void write(const float* data, int64_t columns, int64_t begin, int64_t end) {
    add(data, columns, begin, end, true);
  }
  /// Spreads what there is over so many calls of step().
  void spread(int64_t calls) {
    int64_t lines = 0;
    for (int i = 0; i < count_; ++i) {
      lines += (streams_[i].end - streams_[i].at + kLine - 1) / kLine;
    }
    per_step_ = (lines + calls - 1) / calls;
  }
  void step() {
    for (int64_t left = per_step_; left > 0 && current_ < count_;) {
      Stream& s = streams_[current_];
      if (s.writes) {
        for (; left > 0 && s.at < s.end; --left, s.at += kLine) __builtin_prefetch(s.at, 1, 2);
      } else {
        for (; left > 0 && s.at < s.end; --left, s.at += kLine) __builtin_prefetch(s.at, 0, 2);
      }
      if (s.at >= s.end) ++current_;
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats
  struct Stream {
    const float *at, *end;
    bool writes;
  };

  void add(const float* data, int64_t columns, int64_t begin, int64_t end, bool writes) {
    if (data == nullptr || begin >= end) return;
    streams_[count_++] = {data + begin * columns, data + end * columns, writes};
  }

  Stream streams_[4];
  int count_ = 0, current_ = 0;
  int64_t per_step_ = 0;
};

}  // namespace edgeprune::simd
