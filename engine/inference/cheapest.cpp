#include "engine/inference/cheapest.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace edgeprune::inference {
namespace {

constexpr size_t kMostStates = 81;  // three sets of formats for each of four outputs

/// By layer, the images first: a set of formats, a bit each; none once nobody reads it any more.
using State = std::vector<unsigned>;

struct Reached {
  double cost = INFINITY;
  const Kernel* kernel = nullptr;  ///< that led here, from this state before it
  State from;
};
using Reachable = std::map<State, Reached>;

unsigned bit(Format format) {
  return 1U << static_cast<unsigned>(format);
}

class Search {
 public:
  Search(const Graph& graph, Grouping grouping, int64_t batch, const Costs& costs)
      : graph_(graph),
        costs_(costs),
        grouping_(grouping),
        sections_(sections(graph, grouping, batch)),
        last_reader_(graph.layers.size() + 1, 0),
        reachable_(graph.layers.size() + 1) {
    for (size_t i = 0; i < graph.layers.size(); ++i) {
      last_reader_[at(graph.input_of(i))] = i;
      if (graph.layers[i].residual >= 0) last_reader_[at(graph.layers[i].residual)] = i;
    }
    last_reader_.back() = graph.layers.size();  // whoever wants the logits
  }

  std::optional<Path> run() {
    State start(graph_.layers.size() + 1, 0);
    start[0] = bit(Format::channels_last);
    reachable_[0][start].cost = 0;
    for (const Section& section : sections_) {
      for (size_t i = section.begin; i < section.end; ++i) {
        keep_the_best(reachable_[i]);
        for (const auto& [state, reached] : reachable_[i]) extend(i, section, state, reached.cost);
      }
    }
    return trace();
  }

 private:
  static size_t at(int layer) { return static_cast<size_t>(layer + 1); }

  void extend(size_t i, const Section& section, const State& state, double cost) {
    for (const Kernel& kernel : kernel_table()) {
      if (!supports(kernel, graph_, i, section)) continue;
      const double own = costs_.kernel(kernel, i, section);
      if (!std::isfinite(own)) continue;
      State next = state;
      double sum = cost + own;
      if (i == section.begin && i > 0) {  // what the section before put out is in one format
        for (const auto& format : kFormats) {
          if (next[i] == bit(format.value)) {
            sum += costs_.change(format.value, format.value, static_cast<int>(i) - 1, section);
          }
        }
      }
      const size_t end = i + kernel.layers;
      sum += bring(next, graph_.input_of(i), kernel.input, section);
      const int residual = graph_.layers[end - 1].residual;
      if (residual >= 0) sum += bring(next, residual, kernel.output, section);
      next[end] = bit(kernel.output);
      for (size_t j = 0; j < end; ++j) {
        if (last_reader_[j] < end) next[j] = 0;
      }
      if (end == graph_.layers.size()) {
        sum += bring(next, static_cast<int>(end) - 1, Format::channels_last, section);
      }
      Reached& reached = reachable_[end][next];
      if (sum < reached.cost) reached = {sum, &kernel, state};
    }
  }

  /// Makes the output available in that format; returns what it costs.
  double bring(State& state, int layer, Format format, const Section& section) const {
    unsigned& formats = state[at(layer)];
    if ((formats & bit(format)) != 0) return 0;
    if (format != Format::channels_last) {  // by way of it
      const double before = bring(state, layer, Format::channels_last, section);
      formats |= bit(format);
      return before + costs_.change(Format::channels_last, format, layer, section);
    }
    double least = INFINITY;
    for (const auto& from : kFormats) {
      if ((formats & bit(from.value)) == 0) continue;
      least = std::min(least, costs_.change(from.value, format, layer, section));
    }
    formats |= bit(format);
    return least;
  }

  static void keep_the_best(Reachable& states) {
    if (states.size() <= kMostStates) return;
    std::vector<Reachable::iterator> by_cost;
    for (auto it = states.begin(); it != states.end(); ++it) by_cost.push_back(it);
    std::ranges::stable_sort(by_cost, {}, [](const auto& it) { return it->second.cost; });
    for (size_t i = kMostStates; i < by_cost.size(); ++i) states.erase(by_cost[i]);
  }

  std::optional<Path> trace() const {
    const size_t count = graph_.layers.size();
    const auto best = std::ranges::min_element(reachable_[count], {},
                                               [](const auto& one) { return one.second.cost; });
    if (best == reachable_[count].end() || !std::isfinite(best->second.cost)) return {};
    Path path{{grouping_, std::vector<const Kernel*>(count, nullptr)}, best->second.cost};
    const Reached* reached = &best->second;
    for (size_t end = count; end > 0;) {
      end -= reached->kernel->layers;
      path.assignment.kernels[end] = reached->kernel;
      reached = &reachable_[end].at(reached->from);
    }
    return path;
  }

  const Graph& graph_;
  const Costs& costs_;
  Grouping grouping_;
  std::vector<Section> sections_;
  std::vector<size_t> last_reader_;   // by layer, the images first
  std::vector<Reachable> reachable_;  // by number of layers that have run
};

}  // namespace

std::optional<Path> cheapest(const Graph& graph, Grouping grouping, int64_t batch,
                             const Costs& costs) {
  return Search(graph, grouping, batch, costs).run();
}

}  // namespace edgeprune::inference
