#include "engine/inference/stage.h"

#include <algorithm>

namespace edgeprune::inference {
namespace {

int64_t whole_cache_lines(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

int Stage::append(Entry entry) {
  parts_ += entry.step->parts();
  entries_.push_back(std::move(entry));
  return static_cast<int>(entries_.size()) - 1;
}

/// Each output gets the lowest place that no output still to be read occupies; scratch stands
/// behind them all, the same place for every step.
void Stage::assign_buffers() {
  const size_t count = entries_.size();
  std::vector<size_t> last_use(count, 0);
  for (size_t i = 0; i < count; ++i) {
    for (const int source : {entries_[i].input, entries_[i].residual}) {
      if (source >= 0) last_use[static_cast<size_t>(source)] = i;
    }
  }
  std::vector<int64_t> end(count, 0);
  int64_t scratch = 0;
  for (size_t i = 0; i < count; ++i) {
    scratch = std::max(scratch, entries_[i].step->scratch_bytes());
    if (i + 1 == count) break;  // the last one writes the stage's output
    const int64_t wanted = whole_cache_lines(entries_[i].step->output_bytes());
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (size_t j = 0; j < i; ++j) {
      if (last_use[j] >= i) taken.emplace_back(entries_[j].offset, end[j]);
    }
    std::sort(taken.begin(), taken.end());
    int64_t place = 0;
    for (const auto& [from, to] : taken) {
      if (place + wanted <= from) break;
      place = std::max(place, to);
    }
    entries_[i].offset = place;
    end[i] = place + wanted;
    arena_bytes_ = std::max(arena_bytes_, end[i]);
  }
  for (Entry& entry : entries_) entry.scratch_offset = arena_bytes_;
  arena_bytes_ += whole_cache_lines(scratch);
}

void Stage::run(const View& input, std::byte* output, std::byte* arena, double* seconds,
                Timing timing) const {
  const auto output_of = [&](const Entry& entry) {
    return MutableView{&entry == &entries_.back() ? output : arena + entry.offset, entry.format,
                       entry.grid};
  };
  const auto made_by = [&](int entry) {
    return constant(output_of(entries_[static_cast<size_t>(entry)]));
  };
  for (const Entry& entry : entries_) {
    const Operands maps{.input = entry.input < 0 ? input : made_by(entry.input),
                        .residual = entry.residual < 0 ? View{} : made_by(entry.residual),
                        .output = output_of(entry),
                        .scratch = arena + entry.scratch_offset};
    if (seconds == nullptr) {  // a clock reading costs as much as a small step
      entry.step->run(maps);
      continue;
    }
    if (timing == Timing::blocks) {
      const Stopwatch watch;
      entry.step->run(maps);
      *seconds += watch.seconds();
    } else {
      entry.step->run_timed(maps, seconds);
    }
    seconds += entry.step->parts();
  }
}

}  // namespace edgeprune::inference
