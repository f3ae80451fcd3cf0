#include "engine/inference/plan.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/timer.h"
#include "engine/inference/dense_steps.h"
#include "engine/inference/sparse_steps.h"

namespace edgeprune::inference {

namespace {
constexpr const char* kNames[] = {"dense", "sparse", "auto", "onednn"};
}

const char* to_string(Engine engine) {
  return kNames[static_cast<int>(engine)];
}

std::vector<std::string> engine_names() {
  return {std::begin(kNames), std::end(kNames)};
}

Engine parse_engine(const std::string& name) {
  for (int i = 0; i < 4; ++i) {
    if (name == kNames[i]) return static_cast<Engine>(i);
  }
  throw std::invalid_argument(
      fmt::format("[engine] expected dense or sparse, auto or onednn, got '{}'", name));
}

Plan::Plan(const Graph& graph, Engine engine, int64_t batch) : batch_(batch) {
  require(batch >= 1, "Plan", "expected a batch of at least 1, got {}", batch);
  require(!graph.layers.empty(), "Plan", "the graph has no layers");
  const Conv2dShape& first = graph.layers.front().shape;
  image_size_ = first.in_height * first.in_width * first.in_channels;
  classes_ = graph.layers.back().shape.out_channels;

  struct Output {
    int entry;
    bool panels;
  };
  std::vector<Output> outputs;  // by layer
  bool sparse = false;          // the sparse engine's layout, from the first layer it can run
  // The entry to read a layer's output from (-1: none), converted if it came out channels-last.
  const auto output_of = [&](int layer) {
    if (layer < 0) return -1;
    Output& output = outputs[static_cast<size_t>(layer)];
    if (sparse && !output.panels) {
      const Layer& source = graph.layers[static_cast<size_t>(layer)];
      const Conv2dShape& s = source.shape;
      const Conv2dShape map{
          .in_height = s.out_height(), .in_width = s.out_width(), .in_channels = s.out_channels};
      output = {append(source.name, to_panels_step(map, batch_), output.entry), true};
    }
    return output.entry;
  };
  for (const Layer& layer : graph.layers) {
    const int index = static_cast<int>(outputs.size());
    require(layer.residual < index, "Plan", "layer '{}' adds the output of layer {}, still to run",
            layer.name, layer.residual);
    sparse = sparse || ((engine == Engine::sparse || engine == Engine::automatic) &&
                        sparse_step_exists(layer));
    int input = output_of(index - 1);
    if (sparse && index == 0) input = append(layer.name, to_panels_step(layer.shape, batch_), -1);
    const int residual = output_of(layer.residual);
    auto step = sparse ? sparse_step(layer, batch_) : dense_step(layer, batch_);
    outputs.push_back({append(layer.name, std::move(step), input, residual), sparse});
    Entry& entry = entries_.back();
    entry.bytes = 4.0 * double(layer.shape.input_count() + layer.shape.output_count());
    if (layer.kind == Layer::Kind::convolution) {
      double nonzeros = 0;
      for (const float w : layer.weight.values()) nonzeros += w != 0;
      entry.flops = entry.nonzero_flops = 2.0 * double(layer.shape.multiply_adds());
      if (sparse && layer.shape.pointwise()) {
        entry.nonzero_flops *= nonzeros / double(layer.weight.count());
      }
      entry.bytes += 4.0 * double(layer.weight.count()) / double(batch_);
    }
  }
  if (sparse) append("logits", from_panels_step(classes_, batch_), outputs.back().entry);
  assign_buffers();
}

int Plan::append(const std::string& layer, std::unique_ptr<Step> step, int input, int residual) {
  entries_.push_back({layer, std::move(step), input, residual});
  return static_cast<int>(entries_.size()) - 1;
}

/// Each output gets the lowest place in the arena that no output still to be read occupies.
void Plan::assign_buffers() {
  const size_t count = entries_.size();
  std::vector<size_t> last_use(count, 0);
  for (size_t i = 0; i < count; ++i) {
    for (const int source : {entries_[i].input, entries_[i].residual}) {
      if (source >= 0) last_use[static_cast<size_t>(source)] = i;
    }
  }
  std::vector<int64_t> begin(count), end(count);
  int64_t size = 0;
  for (size_t i = 0; i + 1 < count; ++i) {  // the last one writes the caller's logits
    const int64_t wanted = (entries_[i].step->output_size() + 15) / 16 * 16;
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (size_t j = 0; j < i; ++j) {
      if (last_use[j] >= i) taken.emplace_back(begin[j], end[j]);
    }
    std::sort(taken.begin(), taken.end());
    int64_t place = 0;
    for (const auto& [from, to] : taken) {
      if (place + wanted <= from) break;
      place = std::max(place, to);
    }
    begin[i] = place;
    end[i] = place + wanted;
    size = std::max(size, end[i]);
  }
  arena_ = Tensor({size}, 0.0f);
  for (size_t i = 0; i + 1 < count; ++i) entries_[i].output = arena_.data() + begin[i];
}

void Plan::run(const float* images, float* logits, StepTimes* times) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    const float* input =
        entry.input < 0 ? images : entries_[static_cast<size_t>(entry.input)].output;
    const float* residual =
        entry.residual < 0 ? nullptr : entries_[static_cast<size_t>(entry.residual)].output;
    const Stopwatch watch;
    entry.step->run(input, residual, &entry == &entries_.back() ? logits : entry.output);
    if (times != nullptr) times->seconds[i] += watch.seconds();
  }
}

std::vector<StepInfo> Plan::steps() const {
  std::vector<StepInfo> infos;
  for (const Entry& entry : entries_) {
    infos.push_back(
        {entry.layer, entry.step->kernel(), entry.flops, entry.nonzero_flops, entry.bytes});
  }
  return infos;
}

std::vector<std::string> Plan::describe() const {
  std::vector<std::string> lines;
  for (const Entry& entry : entries_) lines.push_back(entry.layer + ": " + entry.step->kernel());
  return lines;
}

}  // namespace edgeprune::inference
