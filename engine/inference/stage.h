#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/inference/step.h"

namespace edgeprune::inference {

/// What the clock is read around.
enum class Timing {
  layers,  ///< each, also those that run interlocked
  blocks,  ///< what runs as one step is timed as one, as its first layer
};

/// Consecutive steps that run on a few images at a time, so that what they hand on stays in the
/// cache of the core. Threads can share a stage, each with an arena of its own.
class Stage {
 public:
  struct Entry {
    int first = -1;  ///< the first of its parts' layers in the graph; -1: a change of format
    std::string name;
    std::unique_ptr<Step> step;
    Format format = Format::channels_last;  ///< of what it puts out
    Grid grid = {};                         ///< likewise, of integers
    int input = -1;     ///< index of the entry whose output it reads; -1: the stage's input
    int residual = -1;  ///< likewise; -1: none
    int64_t offset = 0, scratch_offset = 0;  ///< bytes into the arena
  };

  explicit Stage(int64_t images) : images_(images) {}

  /// Returns the entry's index.
  int append(Entry entry);
  /// Gives every output its place in the arena; called once, after the last append(). The last
  /// entry writes the stage's output.
  void assign_buffers();

  /// Images [images,...] at `input` to `output`. `arena`: arena_bytes(). `seconds` (may be null):
  /// the time of every part of every entry is added to it.
  void run(const View& input, std::byte* output, std::byte* arena, double* seconds,
           Timing timing) const;

  int64_t images() const { return images_; }
  int64_t parts() const { return parts_; }  ///< of all entries
  int64_t arena_bytes() const { return arena_bytes_; }
  int64_t output_bytes() const { return entries_.back().step->output_bytes(); }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  int64_t images_, parts_ = 0, arena_bytes_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace edgeprune::inference
