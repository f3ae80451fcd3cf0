#include "engine/inference/assignment.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/inference/int8_graph.h"
#include "engine/inference/int8_step.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::inference {
namespace {

/// Maps of fewer pixels than a panel has columns are run several images at a time.
constexpr int64_t kSmallMap = PanelLayout::kWidth;
/// So many that the widest layers still fit the second-level cache.
constexpr int64_t kMostImages = 16;

/// The first layer of the second section, graph.layers.size() if there is none: the first 1x1 layer
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
  return cut == 0 ? layers.size() : cut;
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

Place place_of(int64_t images, int64_t batch) {
  const int threads = thread_count();
  const bool alone = batch / images >= threads;  // threads take images of their own
  return {images, alone ? 1 : threads, alone && threads > 1};
}

bool keeps_channels_last(const Kernel& kernel) {
  return kernel.input == Format::channels_last && kernel.output == Format::channels_last;
}
bool keeps_panels(const Kernel& kernel) {
  return kernel.input == Format::panels && kernel.output == Format::panels;
}

bool has_bytes(const Kernel& kernel) {
  return kernel.input == Format::bytes || kernel.output == Format::bytes;
}

/// What an engine may take, row by row of the table.
class Policy {
 public:
  Policy(const Graph& graph, Engine engine, int64_t batch, bool everywhere)
      : graph_(graph),
        engine_(engine),
        everywhere_(everywhere),
        whole_(sections(graph, Grouping::whole_batch, batch)[0]) {
    const size_t count = graph.layers.size();
    on_panels_from_ = count;
    if (engine == Engine::onednn || in_integers(engine)) return;
    for (size_t i = 1; i < count; ++i) {
      if (graph.input_of(i) < 0) return;  // the images are read once, in front of all panels
    }
    // Panels suffice if they know all layers but some at the front; what begins on them stays there.
    const auto known = [&](size_t i) { return any(i, &keeps_panels); };
    stem_ = any(0, [](const Kernel& k) { return k.input != k.output; });
    size_t first = stem_ ? 1 : 0;
    while (!stem_ && first < count && !known(first)) ++first;
    for (size_t i = first; i < count; ++i) {
      if (!known(i)) {
        stem_ = false;
        return;
      }
    }
    on_panels_from_ = stem_ ? 0 : first;
  }

  /// Image by image, so that maps stay in the caches, if all threads have some. But oneDNN brings its own
  /// threads for batches.
  Grouping grouping() const {
    if (in_integers(engine_)) return Grouping::by_image;
    const bool whole =
        engine_ == Engine::onednn || (!stem_ && whole_.place.images < thread_count());
    return whole ? Grouping::whole_batch : Grouping::by_image;
  }

  bool allows(const Kernel& kernel, size_t first, int64_t images) const {
    if ((kernel.engines & bit_of(engine_)) == 0) return false;
    // What stays in floats runs channels-last: bytes are a copy away, not two.
    if (in_integers(engine_)) {
      return has_bytes(kernel) == graph_.integers->layers[first].integers &&
             (!kernel.sparse[0] || everywhere_ || zeros_pay(first, images));
    }
    if (engine_ == Engine::onednn) return true;
    for (size_t i = 0; i < kernel.layers; ++i) {
      if (kernel.sparse[i] != (engine_ == Engine::sparse && is_sparse(first + i))) return false;
    }
    if (on_panels_from_ == graph_.layers.size()) {  // channels-last but for what is sparse
      return keeps_channels_last(kernel) || (kernel.layers == 1 && kernel.sparse[0]);
    }
    if (first < on_panels_from_) return keeps_channels_last(kernel);
    return keeps_panels(kernel) || (stem_ && first == 0 && kernel.output == Format::panels);
  }

 private:
  /// Of layers in integers, where dense kernels are so fast that few zeros would cost time.
  bool zeros_pay(size_t layer, int64_t images) const {
    return int8_sparse_step_pays(*graph_.integers, layer, images);
  }

  /// Whether a kernel for this layer alone is such.
  template <typename Is>
  bool any(size_t layer, const Is& is) const {
    return std::ranges::any_of(kernel_table(), [&](const Kernel& kernel) {
      return kernel.layers == 1 && is(kernel) && supports(kernel, graph_, layer, whole_);
    });
  }
  bool is_sparse(size_t layer) const {
    const bool channels_last = layer < on_panels_from_;
    if (channels_last && graph_.input_of(layer) < 0) return false;
    const bool in_front = channels_last && on_panels_from_ < graph_.layers.size();
    return any(layer, [&](const Kernel& kernel) {
      if (!kernel.sparse[0]) return false;
      return channels_last ? !in_front || keeps_channels_last(kernel) : keeps_panels(kernel);
    });
  }

  const Graph& graph_;
  Engine engine_;
  bool everywhere_;
  Section whole_;
  bool stem_ = false;
  size_t on_panels_from_;  // the first layer of those that run on panels
};

}  // namespace

std::vector<Section> sections(const Graph& graph, Grouping grouping, int64_t batch) {
  const size_t count = graph.layers.size();
  if (grouping == Grouping::whole_batch) return {{0, count, place_of(batch, batch)}};
  const int64_t small = images_of_small_maps(batch, thread_count());
  const size_t cut = small == 1 ? count : first_on_small_maps(graph);
  if (cut == count) return {{0, count, place_of(1, batch)}};
  return {{0, cut, place_of(1, batch)}, {cut, count, place_of(small, batch)}};
}

bool supports(const Kernel& kernel, const Graph& graph, size_t first, const Section& section) {
  if (first + kernel.layers > section.end) return false;
  const ThreadScope scope(section.place.threads);
  return kernel.supports(graph, first, section.place);
}

size_t layers_taken_out_of_integers(const Graph& graph, const Assignment& assignment) {
  size_t count = 0;
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const Kernel* const kernel =
        assignment.kernels[i];  // null: of a block, none of which has bytes
    count += graph.integers->layers[i].integers && (kernel == nullptr || !has_bytes(*kernel));
  }
  return count;
}

bool can_run(Engine engine, const Graph& graph) {
  if (engine == Engine::automatic) return true;
  const bool takes_bytes = std::ranges::any_of(kernel_table(), [&](const Kernel& kernel) {
    return has_bytes(kernel) && (kernel.engines & bit_of(engine)) != 0;
  });
  return takes_bytes == (graph.integers != nullptr);
}

void require_can_run(Engine engine, const Graph& graph) {
  if (can_run(engine, graph)) return;
  require(graph.integers != nullptr, "Plan",
          "the network is in floats: the engine int8 runs quantised ones (edgeprune quantize)");
  require(false, "Plan",
          "the network is quantised: the engines int8, int8-sparse and auto run it, {} does not",
          to_string(engine));
}

Assignment assignment_of(const Graph& graph, Engine engine, int64_t batch, bool everywhere) {
  require_can_run(engine, graph);
  const Policy policy(graph, engine, batch, everywhere);
  Assignment assignment{policy.grouping(), {}};
  for (const Section& section : sections(graph, assignment.grouping, batch)) {
    for (size_t i = section.begin; i < section.end;) {
      const auto table = kernel_table();
      const auto kernel = std::ranges::find_if(table, [&](const Kernel& k) {
        return supports(k, graph, i, section) && policy.allows(k, i, section.place.images);
      });
      require(kernel != table.end(), "Plan", "the engine {} has no kernel for layer '{}'",
              to_string(engine), graph.layers[i].name);
      assignment.kernels.push_back(&*kernel);
      assignment.kernels.resize(i += kernel->layers, nullptr);
    }
  }
  return assignment;
}

}  // namespace edgeprune::inference
