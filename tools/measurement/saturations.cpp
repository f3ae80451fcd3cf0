#include "tools/measurement/saturations.h"

#include <algorithm>
#include <memory>

#include "data/loader.h"
#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/inference/assignment.h"
#include "engine/inference/int8_reference.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"

namespace edgeprune {
namespace {

constexpr int64_t kImagesAtOnce = 16;
constexpr int64_t kOverhang = 64;  // bytes behind a map: kernels read whole vectors

std::vector<uint8_t> with_overhang(std::vector<uint8_t> bytes) {
  bytes.resize(bytes.size() + kOverhang);
  return bytes;
}

/// The engine's kernels, a step each.
class Steps {
 public:
  Steps(const inference::Graph& graph, inference::Engine engine)
      : graph_(*graph.integers), assignment_(assignment_of(graph, engine, 1)) {
    const ThreadScope one(1);
    for (size_t i = 0; i < graph_.layers.size(); ++i) {
      require(graph_.layers[i].integers, "saturations",
              "layer '{}' stays in floats: expected a model all in integers",
              graph_.layers[i].name);
      steps_.push_back(assignment_.kernels[i]->make(graph, i, inference::Place{}));
    }
  }

  std::string kernel(size_t i) const { return steps_[i]->kernel(); }

  /// How many of the layer's outputs are not the plain loops'.
  int64_t wrong(size_t i, const float* image, const inference::PlainMaps& plain) const {
    const inference::QuantizedLayer& layer = graph_.layers[i];
    inference::Step& step = *steps_[i];
    const auto map = [&](const std::vector<uint8_t>& bytes, int reads) {
      return inference::View{reinterpret_cast<const std::byte*>(bytes.data()),
                             inference::Format::bytes, graph_.grid_of(reads)};
    };
    std::vector<uint8_t> input, residual;
    inference::Operands maps{.input = inference::view_of(image),
                             .residual = {},
                             .output = {nullptr, assignment_.kernels[i]->output, layer.output},
                             .scratch = nullptr};
    if (layer.input >= 0) {
      input = with_overhang(plain.of(layer.input));
      maps.input = map(input, layer.input);
    }
    if (layer.residual >= 0) {
      residual = with_overhang(plain.of(layer.residual));
      maps.residual = map(residual, layer.residual);
    }
    std::vector<std::byte> output(static_cast<size_t>(step.output_bytes()) + kOverhang),
        scratch(static_cast<size_t>(step.scratch_bytes()) + kOverhang);
    maps.output.data = output.data();
    maps.scratch = scratch.data();
    step.run(maps);
    if (i + 1 == graph_.layers.size()) return different(plain.logits, output);
    return different(plain.of(static_cast<int>(i)), output);
  }

 private:
  template <typename T>
  static int64_t different(const std::vector<T>& expected, const std::vector<std::byte>& output) {
    const T* found = reinterpret_cast<const T*>(output.data());
    int64_t count = 0;
    for (size_t k = 0; k < expected.size(); ++k) count += !(found[k] == expected[k]);
    return count;
  }

  const inference::QuantizedGraph& graph_;
  inference::Assignment assignment_;
  std::vector<std::unique_ptr<inference::Step>> steps_;
};

void add(const Steps& steps, const inference::QuantizedGraph& graph, const float* image,
         std::vector<LayerSaturations>& layers) {
  const inference::PlainMaps plain = int8_by_plain_loops(graph, image);
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].extremes += plain.extremes[i];
    layers[i].wrong += steps.wrong(i, image, plain);
  }
}

LayerSaturations begin(const inference::QuantizedLayer& layer, const std::string& kernel) {
  const ActivationForm form = form_of(layer.activation);
  LayerSaturations result{.layer = layer.name, .kernel = kernel, .extremes = {}};
  // Gates are computed, and what they end at never reaches the grid; these two are the grid's ends.
  if (form.kind == ActivationForm::Kind::relu || form.kind == ActivationForm::Kind::relu6) {
    const Grid& grid = layer.output;
    const float steps = static_cast<float>(grid.highest - grid.zero_point);
    result.cuts_below = true;
    result.cuts_above = form.high / grid.scale < steps + 0.5f;
  }
  return result;
}

Cell percent_cut(int64_t part, int64_t all) {
  return all == 0 ? Cell() : Cell(Number{100.0 * double(part) / double(all), 4});
}

}  // namespace

std::vector<LayerSaturations> count_saturations(const nn::Network& model, const ModelInfo& info,
                                                const Dataset& dataset, inference::Engine engine) {
  const inference::Graph graph = inference_graph(model, info);
  require(in_integers(engine) && graph.integers != nullptr, "saturations",
          "expected a quantised model, on int8 or int8-sparse");
  const Steps steps(graph, engine);
  std::vector<LayerSaturations> layers;
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    layers.push_back(begin(graph.integers->layers[i], steps.kernel(i)));
  }
  Loader loader(dataset, {.batch = kImagesAtOnce,
                          .input_size = static_cast<int>(model.graph().input_size()),
                          .normalisation = {info.mean, info.std},
                          .augmentation = {}});
  Progress progress("saturations", dataset.size(), "images");
  Batch batch;
  loader.start_epoch(0);
  while (loader.next(batch)) {
    throw_if_interrupted();
    const int64_t count = batch.input.dim(0), size = batch.input.count() / count;
    std::vector<std::vector<LayerSaturations>> parts(static_cast<size_t>(thread_count()), layers);
    for (auto& part : parts) {
      for (LayerSaturations& layer : part) layer.extremes = {}, layer.wrong = 0;
    }
    parallel_for(count, 1, [&](int64_t begin, int64_t end, int part) {
      const ThreadScope one(1);
      for (int64_t n = begin; n < end; ++n) {
        add(steps, *graph.integers, batch.input.data() + n * size,
            parts[static_cast<size_t>(part)]);
      }
    });
    for (const auto& part : parts) {
      for (size_t i = 0; i < layers.size(); ++i) {
        layers[i].extremes += part[i].extremes;
        layers[i].wrong += part[i].wrong;
      }
    }
    progress.advance(count);
  }
  return layers;
}

Table saturation_table(const std::vector<LayerSaturations>& layers) {
  Table table({{"layer", "layer", Align::left},
               {"kernel", "kernel", Align::left},
               {"sums", "sums"},
               {"furthest, % of 32 bits", "furthest_percent"},
               {"beyond 32 bits", "beyond_32_bits"},
               {"kernel's wrong outputs", "wrong_outputs"},
               {"outputs", "outputs"},
               {"cut below %", "cut_below_percent"},
               {"cut above %", "cut_above_percent"}});
  LayerSaturations all{.layer = "all layers", .kernel = "", .extremes = {}, .cuts_below = true};
  const auto row = [&](const LayerSaturations& layer) {
    const reference::Extremes& e = layer.extremes;
    const double furthest = std::max(double(e.most) / INT32_MAX, double(e.least) / INT32_MIN);
    table.add_row({layer.layer, layer.kernel, e.sums,
                   e.sums == 0 ? Cell() : Cell(Number{100 * furthest, 4}), e.beyond, layer.wrong,
                   e.outputs, layer.cuts_below ? Cell() : percent_cut(e.below, e.outputs),
                   layer.cuts_above ? Cell() : percent_cut(e.above, e.outputs)});
  };
  for (const LayerSaturations& layer : layers) {
    row(layer);
    reference::Extremes extremes = layer.extremes;
    if (layer.cuts_above) extremes.above = 0;
    all.extremes += extremes;
    all.wrong += layer.wrong;
  }
  row(all);
  return table;
}

}  // namespace edgeprune
