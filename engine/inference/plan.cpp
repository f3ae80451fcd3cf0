#include "engine/inference/plan.h"

#include <algorithm>
#include <map>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/inference/int8_graph.h"
#include "engine/inference/kernel_choices.h"

namespace edgeprune::inference {
namespace {

/// Behind the last map: kernels of bytes read a whole vector of its last pixel.
constexpr int64_t kBytesBehindMaps = 64;

/// Memory for so many bytes and what is behind them; zeros, so that nothing undefined is read.
int64_t floats_for(int64_t bytes) {
  constexpr int64_t kFloat = sizeof(float);
  return (bytes + kBytesBehindMaps + kFloat - 1) / kFloat;
}

std::byte* bytes_of(Tensor& memory) {
  return reinterpret_cast<std::byte*>(memory.data());
}

void check(const Graph& graph, int64_t batch) {
  require(batch >= 1, "Plan", "expected a batch of at least 1, got {}", batch);
  require(!graph.layers.empty(), "Plan", "the graph has no layers");
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const auto runs_before = [&](int source) { return source < static_cast<int>(i); };
    require(runs_before(layer.residual), "Plan",
            "layer '{}' adds the output of layer {}, still to run", layer.name, layer.residual);
    require(runs_before(graph.input_of(i)), "Plan",
            "layer '{}' reads the output of layer {}, still to run", layer.name, graph.input_of(i));
  }
}

/// A part of an entry that reads a map in this format.
StepInfo describe(const Graph& graph, const Stage::Entry& entry, int part, Format input,
                  int64_t images) {
  const Step& step = entry.step->part(part);
  StepInfo info{.layer = entry.name, .kernel = step.kernel()};
  info.first = entry.first;
  const double output = double(step.output_bytes()) / double(images);
  info.bytes = 2 * output;
  if (entry.first < 0) return info;
  const Layer& layer = graph.layers[static_cast<size_t>(entry.first + part)];
  info.layer = layer.name;
  const Conv2dShape& s = layer.shape;
  const double residual = layer.residual >= 0 ? output : 0;
  info.bytes = double(number_bytes(input) * s.input_count()) + output + residual +
               double(step.weight_bytes()) / double(images);
  info.weight_bytes = double(step.weight_bytes());
  info.weight_share = info.weight_bytes / double(images);
  if (layer.kind != Layer::Kind::convolution) return info;
  info.flops = 2.0 * double(s.multiply_adds());
  info.kernel_flops = info.flops * step.density();
  info.integers = step.integers();
  return info;
}

/// The steps of a section, as they are asked for: layers, and changes of format in front of them.
class StageBuilder {
 public:
  StageBuilder(const Graph& graph, const Section& section)
      : graph_(graph), section_(section), stage_(section.place.images) {}

  /// The section reads the images, or what the section before it puts out.
  void begin(Format input) {
    entries_[Map{static_cast<int>(section_.begin) - 1, input}] = kStageInput;
    if (section_.begin == 0) return;
    const std::string& reader = graph_.layers[section_.begin].name;
    const auto last = static_cast<int>(section_.begin) - 1;
    if (auto step = gather(input, map_of(graph_, last, section_.place.images))) {
      entries_.begin()->second = stage_.append(
          {.name = reader, .step = std::move(step), .format = input, .grid = grid(last)});
    }
  }

  void append(const Kernel& kernel, size_t first) {
    const Layer& last = graph_.layers[first + kernel.layers - 1];
    const std::string& name = graph_.layers[first].name;
    Stage::Entry entry;
    entry.first = static_cast<int>(first);
    entry.name = name;
    entry.input = output_of(graph_.input_of(first), kernel.input, name);
    if (last.residual >= 0) entry.residual = output_of(last.residual, kernel.output, name);
    entry.step = kernel.make(graph_, first, section_.place);
    const int made = static_cast<int>(first + kernel.layers) - 1;
    entry.format = kernel.output;
    entry.grid = grid(made);
    entries_[Map{made, kernel.output}] = stage_.append(std::move(entry));
  }

  void end_with_logits() {
    output_of(static_cast<int>(graph_.layers.size()) - 1, Format::channels_last, "logits");
  }

  Stage take() { return std::move(stage_); }

 private:
  using Map = std::pair<int, Format>;  // a layer's output, -1: the images
  static constexpr int kStageInput = -1;

  /// Of what the layer puts out (-1: of the images), where there are integers.
  Grid grid(int layer) const {
    return graph_.integers == nullptr ? Grid{} : graph_.integers->grid_of(layer);
  }

  /// The entry that puts it out in that format.
  int output_of(int layer, Format format, const std::string& reader) {
    const auto there = entries_.find(Map{layer, format});
    if (there != entries_.end()) return there->second;
    if (format != Format::channels_last) output_of(layer, Format::channels_last, reader);
    const auto& [source, entry] = *entries_.lower_bound(Map{layer, Format{}});
    auto step = change_of_format(source.second, format, graph_, layer, section_.place.images);
    const int made = stage_.append({.name = reader,
                                    .step = std::move(step),
                                    .format = format,
                                    .grid = grid(layer),
                                    .input = entry});
    return entries_[Map{layer, format}] = made;
  }

  const Graph& graph_;
  Section section_;
  Stage stage_;
  std::map<Map, int> entries_;
};

}  // namespace

Plan::Plan(const Graph& graph, Engine engine, int64_t batch, KernelChoices* choices)
    : batch_(batch), threads_(thread_count()) {
  check(graph, batch);
  if (engine == Engine::automatic) {
    KernelChoices own;
    build(graph, (choices != nullptr ? *choices : own).choose(graph, batch).assignment);
  } else {
    build(graph, assignment_of(graph, engine, batch));
  }
}

Plan::Plan(const Graph& graph, const Assignment& assignment, int64_t batch)
    : batch_(batch), threads_(thread_count()) {
  check(graph, batch);
  build(graph, assignment);
}

void Plan::build(const Graph& graph, const Assignment& assignment) {
  const size_t count = graph.layers.size();
  require(assignment.kernels.size() == count, "Plan",
          "expected a kernel for each of {} layers, got {}", count, assignment.kernels.size());
  Format format = Format::channels_last;
  for (const Section& section : sections(graph, assignment.grouping, batch_)) {
    const ThreadScope scope(section.place.threads);
    StageBuilder builder(graph, section);
    builder.begin(format);
    for (size_t i = section.begin; i < section.end;) {
      const Kernel* kernel = assignment.kernels[i];
      require(kernel != nullptr && supports(*kernel, graph, i, section), "Plan",
              "layer '{}' has no kernel, or one that cannot run it", graph.layers[i].name);
      builder.append(*kernel, i);
      format = kernel->output;
      i += kernel->layers;
    }
    if (section.end == count) builder.end_with_logits();
    stages_.push_back(builder.take());
  }
  finish(graph);
}

void Plan::finish(const Graph& graph) {
  const Conv2dShape& first = graph.layers.front().shape;
  image_size_ = first.in_height * first.in_width * first.in_channels;
  classes_ = graph.layers.back().shape.out_channels;
  int64_t arena = 0;
  Format handed_on = Format::channels_last;
  for (Stage& stage : stages_) {
    stage.assign_buffers();
    arena = std::max(arena, stage.arena_bytes());
    const auto& entries = stage.entries();
    for (const Stage::Entry& entry : entries) {
      const Format input =
          entry.input < 0 ? handed_on : entries[static_cast<size_t>(entry.input)].format;
      for (int part = 0; part < entry.step->parts(); ++part) {
        steps_.push_back(describe(graph, entry, part, input, stage.images()));
      }
    }
    handed_on = entries.back().format;
  }
  const int64_t arenas = std::min<int64_t>(threads_, batch_);
  arenas_ = Tensor({arenas, floats_for(arena)}, 0.0f);
  const int64_t between = stages_.size() > 1 ? batch_ * stages_.front().output_bytes() : 0;
  handed_on_ = Tensor({floats_for(between)}, 0.0f);
  seconds_.resize(static_cast<size_t>(arenas) * steps_.size());
}

void Plan::run_stage(const Stage& stage, const View& input, int64_t image_bytes, std::byte* output,
                     double* seconds, Timing timing) {
  const int64_t groups = batch_ / stage.images(), steps = stage.parts();
  const int64_t arena = arenas_.dim(1) * int64_t{sizeof(float)};
  if (seconds != nullptr) std::fill(seconds_.begin(), seconds_.end(), 0.0);
  const auto run_groups = [&](int64_t begin, int64_t end, int part) {
    for (int64_t i = begin; i < end; ++i) {
      View images = input;
      images.data += i * stage.images() * image_bytes;
      stage.run(images, output + i * stage.output_bytes(), bytes_of(arenas_) + part * arena,
                seconds == nullptr ? nullptr : seconds_.data() + part * steps, timing);
    }
  };
  int parts = 1;
  if (groups < threads_) {
    run_groups(0, groups, 0);  // the steps share the threads
  } else {
    parts = parallel_for(groups, 1, [&](int64_t begin, int64_t end, int part) {
      const ThreadScope one(1);
      run_groups(begin, end, part);
    });
  }
  if (seconds == nullptr) return;
  for (int64_t i = 0; i < parts * steps; ++i) seconds[i % steps] += seconds_[i] / parts;
}

void Plan::run(const float* images, float* logits, std::vector<double>* seconds, Timing timing) {
  const ThreadScope scope(threads_);
  if (seconds != nullptr) seconds->resize(steps_.size(), 0.0);
  double* times = seconds == nullptr ? nullptr : seconds->data();
  const int64_t image_bytes = image_size_ * int64_t{sizeof(float)};
  std::byte* const result = view_of(logits).data;
  const Stage& first = stages_.front();
  if (stages_.size() == 1) {
    return run_stage(first, view_of(images), image_bytes, result, times, timing);
  }
  std::byte* const between = bytes_of(handed_on_);
  run_stage(first, view_of(images), image_bytes, between, times, timing);
  if (times != nullptr) times += first.parts();
  const Stage::Entry& last = first.entries().back();
  run_stage(stages_[1], {between, last.format, last.grid}, first.output_bytes(), result, times,
            timing);
}

}  // namespace edgeprune::inference
