#include "engine/inference/plan.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/inference/band_step.h"
#include "engine/inference/channels_last_steps.h"
#include "engine/inference/kernel_choices.h"
#include "engine/inference/panel_steps.h"
#include "engine/inference/small_block_step.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::inference {
namespace {

/// Maps of fewer pixels than a panel has columns are run several images at a time.
constexpr int64_t kSmallMap = PanelLayout::kWidth;
/// So many that the widest layers still fit the second-level cache.
constexpr int64_t kMostImages = 16;

/// The first layer of the second stage, graph.layers.size() if there is none: the first 1x1 layer
/// on small maps, or one before it so that it alone reads across the cut.
size_t first_on_small_maps(const Graph& graph) {
  const auto& layers = graph.layers;
  size_t cut = 0;
  while (cut < layers.size() &&
         !(layers[cut].pointwise() &&
           layers[cut].shape.in_height * layers[cut].shape.in_width < kSmallMap)) {
    ++cut;
  }
  const auto stays_behind = [&](int layer) {
    if (layer < static_cast<int>(cut)) cut = static_cast<size_t>(std::max(0, layer));
  };
  for (size_t i = layers.size(); i-- > cut;) {
    if (layers[i].residual >= 0) stays_behind(layers[i].residual);
    if (i > cut || graph.input_of(i) + 1 != static_cast<int>(cut)) stays_behind(graph.input_of(i));
  }
  return cut;
}

/// The largest divisor of the batch that is at most kMostImages, preferably one that gives all
/// threads as many images.
int64_t images_of_small_maps(int64_t batch, int64_t threads) {
  int64_t best = 1, even = 0;
  for (int64_t images = 1; images <= std::min(batch, kMostImages); ++images) {
    if (batch % images != 0) continue;
    best = images;
    if (batch / images % threads == 0) even = images;
  }
  return even > 0 ? even : best;
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

Conv2dShape with_batch(Conv2dShape shape, int64_t batch) {
  shape.batch = batch;
  return shape;
}

/// What the layer before hands over, as the shape of a layer that changes nothing.
Conv2dShape output_map(const Layer& layer, int64_t images) {
  const Conv2dShape& s = layer.shape;
  const bool pooled = layer.kind == Layer::Kind::global_average_pool;
  return {.batch = images,
          .in_height = pooled ? 1 : s.out_height(),
          .in_width = pooled ? 1 : s.out_width(),
          .in_channels = s.out_channels,
          .out_channels = s.out_channels};
}

/// A part of an entry.
StepInfo describe(const Stage::Entry& entry, int part, int64_t images) {
  const Step& step = entry.step->part(part);
  StepInfo info{.layer = entry.name, .kernel = step.kernel()};
  const double output = sizeof(float) * double(step.output_size()) / double(images);
  info.bytes = 2 * output;
  if (entry.layers.empty()) return info;
  const Layer& layer = *entry.layers[static_cast<size_t>(part)];
  info.layer = layer.name;
  const Conv2dShape& s = layer.shape;
  const double residual = layer.residual >= 0 ? output : 0;
  info.bytes = sizeof(float) * double(s.input_count()) + output + residual +
               double(step.weight_bytes()) / double(images);
  if (layer.kind != Layer::Kind::convolution) return info;
  info.flops = 2.0 * double(s.multiply_adds());
  info.kernel_flops = info.flops * step.density();
  return info;
}

/// Whether layers i to i + 2 are a block that can run in bands: a 1x1 convolution or the stem, a
/// depthwise convolution and a 1x1 convolution, each read by the next one alone.
bool is_block(const Graph& graph, size_t i) {
  const auto& layers = graph.layers;
  if (i + 3 > layers.size()) return false;
  const bool widens = layers[i].pointwise() || (i == 0 && panel_stem_exists(layers[i]));
  if (!widens || layers[i].residual >= 0) return false;
  const Layer& middle = layers[i + 1];
  if (middle.kind != Layer::Kind::convolution || !panels::depthwise_supported(middle.shape) ||
      middle.residual >= 0 || !layers[i + 2].pointwise()) {
    return false;
  }
  const auto inside = [&](int layer) {
    return layer == static_cast<int>(i) || layer == static_cast<int>(i) + 1;
  };
  for (size_t j = 0; j < layers.size(); ++j) {
    const bool next = j == i + 1 || j == i + 2;  // reads the one before it
    if (next ? graph.input_of(j) + 1 != static_cast<int>(j) : inside(graph.input_of(j)))
      return false;
    if (inside(layers[j].residual)) return false;
  }
  return true;
}

/// Whether panels know all layers but some at the front, and only the first one reads the images.
bool panels_suffice(const Graph& graph) {
  const auto& layers = graph.layers;
  for (size_t i = 1; i < layers.size(); ++i) {
    if (graph.input_of(i) < 0) return false;
  }
  // What begins on panels stays there; before them, layers run channels-last.
  const auto known = panel_stem_exists(layers.front())
                         ? layers.begin() + 1
                         : std::find_if(layers.begin(), layers.end(), &panel_step_exists);
  return std::all_of(known, layers.end(), &panel_step_exists);
}

}  // namespace

Plan::Plan(const Graph& graph, Engine engine, int64_t batch, KernelChoices* choices)
    : batch_(batch), threads_(thread_count()) {
  check(graph, batch);
  if (engine == Engine::onednn) {
    plan_channels_last(graph);
  } else if (engine == Engine::automatic) {
    KernelChoices own;
    plan_panels(graph, (choices != nullptr ? *choices : own).choose(graph, batch));
  } else {
    plan_panels(graph, std::vector<bool>(graph.layers.size(), engine == Engine::sparse));
  }
  finish(graph);
}

Plan::Plan(const Graph& graph, const std::vector<bool>& sparse, int64_t batch)
    : batch_(batch), threads_(thread_count()) {
  check(graph, batch);
  require(sparse.size() == graph.layers.size(), "Plan",
          "expected a kernel for each of {} layers, got {}", graph.layers.size(), sparse.size());
  plan_panels(graph, sparse);
  finish(graph);
}

/// The whole batch at once: oneDNN's primitives bring their own threads.
void Plan::plan_channels_last(const Graph& graph) {
  Stage& stage = stages_.emplace_back(batch_);
  for (const Layer& layer : graph.layers) {
    stage.append({.layers = {&layer},
                  .name = layer.name,
                  .step = channels_last_step(layer, batch_),
                  .input = graph.input_of(stage.entries().size()),
                  .residual = layer.residual});
  }
}

/// Channels last but for the layers on sparse weights, which run on panels, as well filled as the whole
/// batch can. Without such, image by image, so that maps stay in the caches, if all threads have some.
void Plan::plan_mixed(const Graph& graph, const std::vector<bool>& sparse) {
  const auto& layers = graph.layers;
  const bool all_dense = std::find(sparse.begin(), sparse.end(), true) == sparse.end();
  const int64_t images = all_dense && batch_ >= threads_ ? 1 : batch_;
  const ThreadScope scope(batch_ / images >= threads_ ? 1 : threads_);
  Stage& stage = stages_.emplace_back(images);
  struct Outputs {
    int channels_last = -1, panels = -1;  ///< entries
  };
  std::vector<Outputs> outputs(layers.size());
  const auto output_of = [&](int layer, bool panels) {
    if (layer < 0) return -1;
    Outputs& own = outputs[static_cast<size_t>(layer)];
    const Conv2dShape map = output_map(layers[static_cast<size_t>(layer)], images);
    const std::string& name = layers[static_cast<size_t>(layer)].name;
    if (panels && own.panels < 0) {
      own.panels =
          stage.append({.name = name, .step = to_panels_step(map), .input = own.channels_last});
    } else if (!panels && own.channels_last < 0) {
      own.channels_last =
          stage.append({.name = name, .step = from_panels_step(map), .input = own.panels});
    }
    return panels ? own.panels : own.channels_last;
  };
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const bool panels = sparse[i] && graph.input_of(i) >= 0 && layer.pointwise();
    const int input = output_of(graph.input_of(i), panels),
              residual = output_of(layer.residual, panels);
    const int entry = stage.append(
        {{&layer},
         layer.name,
         panels ? panel_step(layer, images, true) : dense_channels_last_step(layer, images),
         input,
         residual});
    (panels ? outputs[i].panels : outputs[i].channels_last) = entry;
  }
  output_of(static_cast<int>(layers.size()) - 1, false);
}

void Plan::plan_panels(const Graph& graph, const std::vector<bool>& sparse) {
  if (!panels_suffice(graph)) return plan_mixed(graph, sparse);
  const auto& layers = graph.layers;
  const bool stem = panel_stem_exists(layers.front());
  // Layers that panels do not know can only stand at the front; they run channels-last.
  size_t first = 0;
  while (!stem && first < layers.size() && !panel_step_exists(layers[first])) ++first;
  const int64_t small = images_of_small_maps(batch_, threads_);
  size_t cut = stem ? first_on_small_maps(graph) : layers.size();
  if (small == 1 || cut == 0) cut = layers.size();
  std::vector<int> entry(layers.size(), -1);  // by layer: of its output
  for (const auto& [begin, end] : {std::pair{size_t{0}, cut}, {cut, layers.size()}}) {
    if (begin == end) continue;
    const bool one_stage = begin == 0 && end == layers.size();
    const int64_t images = begin > 0 ? small : one_stage && !stem && batch_ < threads_ ? batch_ : 1;
    const ThreadScope scope(batch_ / images >= threads_ ? 1 : threads_);
    Stage& stage = stages_.emplace_back(images);
    // The entry to read a layer's output from, brought into panels once they are in use.
    std::vector<bool> converted(first, false);
    const auto output_of = [&](size_t layer, bool panels) {
      if (panels && layer < first && !converted[layer]) {
        converted[layer] = true;
        entry[layer] = stage.append({.name = layers[layer].name,
                                     .step = to_panels_step(output_map(layers[layer], images)),
                                     .input = entry[layer]});
      }
      return entry[layer];
    };
    for (size_t i = begin; i < end; ++i) {
      const Layer& layer = layers[i];
      const bool panels = i >= first;
      int input = i > begin ? output_of(static_cast<size_t>(graph.input_of(i)), panels) : -1;
      if (i == begin && begin > 0) {
        input = stage.append(
            {.name = layer.name, .step = gather_images_step(output_map(layers[i - 1], images))});
      } else if (i == 0 && first == 0 && !stem) {
        input = stage.append(
            {.name = layer.name, .step = to_panels_step(with_batch(layer.shape, images))});
      }
      const int residual =
          layer.residual < 0 ? -1 : output_of(static_cast<size_t>(layer.residual), panels);
      const bool from_stem = i == 0 && stem;
      const bool block = panels && i + 3 <= end && is_block(graph, i);
      if (block && !sparse[i] && !sparse[i + 2] &&
          small_block_pays(layer, layers[i + 1], layers[i + 2], images)) {
        const Layer& last = layers[i + 2];
        entry[i + 2] = stage.append(
            {.layers = {&layer, &layers[i + 1], &last},
             .name = layer.name,
             .step = small_block_step(layer, layers[i + 1], last),
             .input = input,
             .residual =
                 last.residual < 0 ? -1 : output_of(static_cast<size_t>(last.residual), panels)});
        i += 2;
        continue;
      }
      if (block && band_pays(layers[i + 1].shape, images)) {
        const Layer& last = layers[i + 2];
        entry[i + 2] = stage.append(
            {.layers = {&layer, &layers[i + 1], &last},
             .name = layer.name,
             .step = band_step(from_stem ? panel_stem_step(layer, images)
                                         : pointwise_step(layer, images, sparse[i]),
                               layers[i + 1], pointwise_step(last, images, sparse[i + 2]), images),
             .input = input,
             .residual =
                 last.residual < 0 ? -1 : output_of(static_cast<size_t>(last.residual), panels)});
        i += 2;
        continue;
      }
      auto step = !panels     ? dense_channels_last_step(layer, images)
                  : from_stem ? panel_stem_step(layer, images)
                              : panel_step(layer, images, sparse[i]);
      entry[i] = stage.append({{&layer}, layer.name, std::move(step), input, residual});
    }
    if (end == layers.size() && first < layers.size()) {
      stage.append({.name = "logits",
                    .step = from_panels_step(output_map(layers.back(), images)),
                    .input = entry.back()});
    }
  }
}

void Plan::finish(const Graph& graph) {
  const Conv2dShape& first = graph.layers.front().shape;
  image_size_ = first.in_height * first.in_width * first.in_channels;
  classes_ = graph.layers.back().shape.out_channels;
  int64_t arena = 0;
  for (Stage& stage : stages_) {
    stage.assign_buffers();
    arena = std::max(arena, stage.arena_size());
    for (const Stage::Entry& entry : stage.entries()) {
      for (int part = 0; part < entry.step->parts(); ++part) {
        steps_.push_back(describe(entry, part, stage.images()));
      }
    }
  }
  const int64_t arenas = std::min<int64_t>(threads_, batch_);
  arenas_ = Tensor({arenas, arena}, 0.0f);
  handed_on_ = Tensor({stages_.size() > 1 ? batch_ : 0, stages_.front().output_size()}, 0.0f);
  seconds_.resize(static_cast<size_t>(arenas) * steps_.size());
}

void Plan::run_stage(const Stage& stage, const float* input, int64_t image_size, float* output,
                     double* seconds) {
  const int64_t groups = batch_ / stage.images(), steps = stage.parts();
  if (seconds != nullptr) std::fill(seconds_.begin(), seconds_.end(), 0.0);
  const auto run_groups = [&](int64_t begin, int64_t end, int part) {
    for (int64_t i = begin; i < end; ++i) {
      stage.run(input + i * stage.images() * image_size, output + i * stage.output_size(),
                arenas_.data() + part * arenas_.dim(1),
                seconds == nullptr ? nullptr : seconds_.data() + part * steps);
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

void Plan::run(const float* images, float* logits, std::vector<double>* seconds) {
  const ThreadScope scope(threads_);
  if (seconds != nullptr) seconds->resize(steps_.size(), 0.0);
  double* times = seconds == nullptr ? nullptr : seconds->data();
  if (stages_.size() == 1) return run_stage(stages_.front(), images, image_size_, logits, times);
  run_stage(stages_[0], images, image_size_, handed_on_.data(), times);
  if (times != nullptr) times += stages_[0].parts();
  run_stage(stages_[1], handed_on_.data(), handed_on_.dim(1), logits, times);
}

}  // namespace edgeprune::inference
