#include "engine/inference/int8_plan.h"

#include <algorithm>

#include "engine/base/buffer.h"
#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/timer.h"
#include "engine/kernels/int8/elementwise.h"

namespace edgeprune::inference {
namespace {

constexpr int64_t kAlignment = 128;

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// What is in the arena while some layers run.
struct Buffer {
  int64_t offset, bytes;
  int last_reader;
};

/// The lowest place that is free of `live` buffers.
int64_t free_place(std::vector<Buffer>& live, int64_t bytes) {
  std::sort(live.begin(), live.end(),
            [](const Buffer& a, const Buffer& b) { return a.offset < b.offset; });
  int64_t offset = 0;
  for (const Buffer& buffer : live) {
    if (offset + bytes <= buffer.offset) break;
    offset = std::max(offset, buffer.offset + buffer.bytes);
  }
  return offset;
}

/// How many images run at a time: with less than so many bytes between two layers, and some for each
/// thread.
int64_t images_at_a_time(const std::vector<Int8Step>& steps, int64_t batch, int threads) {
  constexpr int64_t kCacheBytes = 256 * 1024, kMostImages = 16;
  int64_t largest = 1;
  for (const Int8Step& step : steps) largest = std::max(largest, step.output_bytes());
  const int64_t most = std::clamp<int64_t>(kCacheBytes / largest, 1, kMostImages);
  return std::clamp<int64_t>(batch / threads, 1, most);
}

}  // namespace

Int8Plan::Int8Plan(const QuantizedGraph& graph, int64_t batch)
    : batch_(batch), threads_(thread_count()) {
  require(batch >= 1, "Int8Plan", "expected a batch of at least 1, got {}", batch);
  require(!graph.layers.empty(), "Int8Plan", "the graph has no layers");
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const QuantizedLayer& layer = graph.layers[i];
    require(layer.input < static_cast<int>(i) && layer.residual < static_cast<int>(i), "Int8Plan",
            "layer '{}' reads a layer that is still to run", layer.name);
    steps_.emplace_back(graph, i);
    inputs_.push_back(layer.input);
    residuals_.push_back(layer.residual);
  }
  images_ = graph.images;
  first_ = graph.layers.front().shape;
  classes_ = graph.layers.back().shape.out_channels;
  group_ = images_at_a_time(steps_, batch, threads_);
  arenas_ = std::min<int64_t>(threads_, (batch + group_ - 1) / group_);
  assign_buffers(graph);
  arena_ = allocate_floats(static_cast<size_t>(arena_bytes_ * arenas_ / 4));
  seconds_.resize(static_cast<size_t>(arenas_) * steps_.size());
}

void Int8Plan::assign_buffers(const QuantizedGraph& graph) {
  const auto count = static_cast<int>(steps_.size());
  std::vector<int> last_readers(steps_.size() + 1, -1);  // images first
  for (int i = 0; i < count; ++i) {
    const QuantizedLayer& layer = graph.layers[static_cast<size_t>(i)];
    last_readers[static_cast<size_t>(layer.input + 1)] = i;
    if (layer.residual >= 0) last_readers[static_cast<size_t>(layer.residual + 1)] = i;
  }
  std::vector<Buffer> live;
  const auto place = [&](int layer, int64_t bytes) {
    const int64_t offset = free_place(live, bytes);
    live.push_back({offset, bytes, last_readers[static_cast<size_t>(layer + 1)]});
    arena_bytes_ = std::max(arena_bytes_, offset + bytes);
    return offset;
  };
  const int64_t image = first_.in_height * first_.in_width * image_pixel_bytes(first_.in_channels);
  images_offset_ = place(-1, aligned(group_ * image));
  int64_t scratch = 0;
  for (int i = 0; i < count; ++i) {
    const Int8Step& step = steps_[static_cast<size_t>(i)];
    offsets_.push_back(place(i, aligned(group_ * step.output_bytes())));
    std::erase_if(live, [&](const Buffer& buffer) { return buffer.last_reader <= i; });
    scratch = std::max(scratch, step.scratch_size());
  }
  // Kernels read whole vectors, of the last pixel too.
  constexpr int64_t kOverhang = 64;
  scratch_offset_ = aligned(arena_bytes_ + kOverhang);
  arena_bytes_ = aligned(scratch_offset_ + scratch + kOverhang);
}

void Int8Plan::run_images(const float* images, int64_t count, uint8_t* arena, float* logits,
                          double* seconds) const {
  Stopwatch watch;
  int8::quantize(images, count * first_.in_height * first_.in_width, first_.in_channels, images_,
                 arena + images_offset_);
  for (size_t i = 0; i < steps_.size(); ++i) {
    const auto output_of = [&](int layer) {
      return arena + (layer < 0 ? images_offset_ : offsets_[static_cast<size_t>(layer)]);
    };
    const bool last = i + 1 == steps_.size();
    steps_[i].run(count, output_of(inputs_[i]),
                  residuals_[i] < 0 ? nullptr : output_of(residuals_[i]),
                  last ? static_cast<void*>(logits) : arena + offsets_[i], arena + scratch_offset_);
    if (seconds == nullptr) continue;
    seconds[i] += watch.seconds();
    watch = Stopwatch();
  }
}

void Int8Plan::run_groups(const float* images, float* logits, double* seconds) {
  const int64_t image = first_.in_height * first_.in_width * first_.in_channels;
  const int64_t groups = (batch_ + group_ - 1) / group_;
  auto* const arenas = reinterpret_cast<uint8_t*>(arena_.get());
  const auto count = steps_.size();
  const ThreadScope scope(threads_);
  std::fill(seconds_.begin(), seconds_.end(), 0.0);
  const auto run_some = [&](int64_t begin, int64_t end, int part) {
    for (int64_t group = begin; group < end; ++group) {
      const int64_t first = group * group_, images_left = std::min(group_, batch_ - first);
      run_images(images + first * image, images_left, arenas + part * arena_bytes_,
                 logits + first * classes_,
                 seconds != nullptr ? &seconds_[static_cast<size_t>(part) * count] : nullptr);
    }
  };
  if (arenas_ == 1) {
    run_some(0, groups, 0);
  } else {
    parallel_for(groups, 1, [&](int64_t begin, int64_t end, int part) {
      const ThreadScope alone(1);
      run_some(begin, end, part);
    });
  }
  if (seconds == nullptr) return;
  for (size_t i = 0; i < seconds_.size(); ++i) {
    seconds[i % count] += seconds_[i] / static_cast<double>(arenas_);
  }
}

void Int8Plan::run(const float* images, float* logits) {
  run_groups(images, logits, nullptr);
}

void Int8Plan::run(const float* images, float* logits, std::vector<double>& seconds) {
  require(seconds.size() == steps_.size(), "Int8Plan", "expected {} times to add to, got {}",
          steps_.size(), seconds.size());
  run_groups(images, logits, seconds.data());
}

}  // namespace edgeprune::inference
