#include "engine/inference/kernel_times.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/parallel.h"
#include "engine/base/random.h"
#include "engine/base/timer.h"
#include "engine/inference/plan.h"
#include "engine/kernels/int8/dot_products.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::inference {
namespace {

double quantile(std::vector<double> values, double share) {
  const auto at = values.begin() + static_cast<ptrdiff_t>(share * double(values.size()));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}
/// Other programs only ever add to a time, often to most of them.
double lower_quartile(std::vector<double> values) {
  return quantile(std::move(values), 0.25);
}

Tensor random_values(int64_t count) {
  Tensor values({count});
  Rng rng(0);
  for (float& value : values.values()) value = rng.normal();
  return values;
}

/// Enough rounds for a quartile (which forgets the first, cold ones), but seconds at most.
template <typename Once>
void repeat(int rounds, const Once& once) {
  constexpr double kLeast = 0.02, kMost = 1.5;
  constexpr int kFewest = 3;
  const Stopwatch watch;
  for (int i = 0;; ++i) {
    const double seconds = watch.seconds();
    if (i >= rounds ? seconds >= kLeast : i >= kFewest && seconds >= kMost) return;
    once();
  }
}

std::string description(const Layer& layer) {
  const Conv2dShape& s = layer.shape;
  const std::string map = fmt::format("at {}x{}", s.in_height, s.in_width);
  const char* sum = layer.residual >= 0 ? ", sum" : "";
  switch (layer.kind) {
    case Layer::Kind::convolution: {
      std::string text = fmt::format("{}x{}", s.in_channels, s.out_channels);
      if (s.kernel > 1) text += fmt::format(" {}x{}/{}", s.kernel, s.kernel, s.stride);
      if (s.groups > 1) text += fmt::format(" in {} groups", s.groups);
      return fmt::format("{} {}, {}{}", text, map, name_of(kActivations, layer.activation), sum);
    }
    case Layer::Kind::global_average_pool:
      return fmt::format("average pool {} {}", s.in_channels, map);
    case Layer::Kind::max_pool:
      return fmt::format("max pool {} {}x{}/{} {}", s.in_channels, s.kernel, s.kernel, s.stride,
                         map);
    case Layer::Kind::multiply:
      return fmt::format("multiply {} {}", s.in_channels, map);
    case Layer::Kind::activation:
      return fmt::format("{} {} {}{}", name_of(kActivations, layer.activation), s.in_channels, map,
                         sum);
  }
  return layer.name;
}

/// A plan to be timed, with logits of its own.
struct Runner {
  Runner(const Graph& graph, const Assignment& assignment, int64_t batch)
      : plan(graph, assignment, batch), logits({batch, plan.classes()}) {}

  /// Returns the seconds of a run as in earnest, behind another one of the same plan: behind another's,
  /// weights are not in the caches, and oneDNN's threads may still be waiting for more.
  double run(const Tensor& images, std::vector<double>* steps = nullptr) {
    constexpr double kLong = 0.01;
    double seconds = 0;
    for (int i = 0; i < 2 && seconds < kLong; ++i) {
      if (steps != nullptr) steps->clear();
      const Stopwatch watch;
      plan.run(images.data(), logits.data(), steps, Timing::blocks);
      seconds = watch.seconds();
    }
    return seconds;
  }

  Plan plan;
  Tensor logits;
};

}  // namespace

KernelTimes::KernelTimes(const Graph& graph, int64_t batch, Table& known)
    : graph_(graph), batch_(batch), known_(known) {
  for (const Layer& layer : graph.layers) {
    zeros_.push_back(layer.kind == Layer::Kind::convolution ? layer.zeros() : 0.0);
  }
}

std::string KernelTimes::surroundings(const Section& section) const {
  const int threads = thread_count();
  return fmt::format("{} of {} image{}, {} thread{}", section.place.images, batch_,
                     batch_ == 1 ? "" : "s", threads, threads == 1 ? "" : "s");
}

std::string KernelTimes::of_kernel(const Kernel& kernel, size_t first,
                                   const Section& section) const {
  const bool bytes = kernel.input == Format::bytes || kernel.output == Format::bytes;
  const bool vnni = bytes && int8::uses_dot_products();  // which no target says
  std::string text = fmt::format("{}{}: ", kernel.name, vnni ? " (vnni)" : "");
  for (size_t i = 0; i < kernel.layers; ++i) {
    text += description(graph_.layers[first + i]);
    if (kernel.sparse[i]) text += fmt::format(", {:.0f} % zeros", 100 * zeros_[first + i]);
    text += "; ";
  }
  return text + surroundings(section);
}

std::string KernelTimes::of_change(Format from, Format to, int layer,
                                   const Section& section) const {
  const Conv2dShape map = map_of(graph_, layer, section.place.images);
  return fmt::format("{} to {}: {} at {}x{}; {}", name_of(kFormats, from),
                     from == to ? "one batch" : name_of(kFormats, to), map.in_channels,
                     map.in_height, map.in_width, surroundings(section));
}

std::string KernelTimes::of_plan(const Assignment& assignment) const {
  Digest digest;
  for (const Section& section : sections(graph_, assignment.grouping, batch_)) {
    for (size_t i = section.begin; i < section.end; ++i) {
      if (const Kernel* kernel = assignment.kernels[i]) digest.add(of_kernel(*kernel, i, section));
    }
  }
  return "plan " + digest.hex().substr(0, 16);
}

double KernelTimes::operator[](const std::string& what) const {
  const auto found = known_.find(what);
  return found == known_.end() ? INFINITY : found->second;
}

void KernelTimes::take_kernels(const std::vector<Assignment>& plans) {
  if (plans.empty()) return;
  std::vector<Runner> runners;
  std::vector<std::vector<std::string>> names;  // of each plan's kernels, by first layer
  for (const Assignment& plan : plans) {
    runners.emplace_back(graph_, plan, batch_);
    auto& own = names.emplace_back(plan.kernels.size());
    for (const Section& section : sections(graph_, plan.grouping, batch_)) {
      for (size_t i = section.begin; i < section.end; ++i) {
        if (plan.kernels[i] != nullptr) own[i] = of_kernel(*plan.kernels[i], i, section);
      }
    }
  }
  const Tensor images = random_values(batch_ * runners.front().plan.image_size());
  std::map<std::string, std::vector<double>> samples;
  repeat(25, [&] {
    for (size_t r = 0; r < runners.size(); ++r) {
      const Plan& plan = runners[r].plan;
      std::vector<double> seconds;
      runners[r].run(images, &seconds);
      for (size_t i = 0; i < seconds.size(); ++i) {
        const int first = plan.steps()[i].first;
        if (first < 0 || seconds[i] == 0) continue;  // a change, or a part of what was timed whole
        samples[names[r][static_cast<size_t>(first)]].push_back(seconds[i] / double(batch_));
      }
    }
  });
  for (auto& [what, seconds] : samples) known_.emplace(what, lower_quartile(std::move(seconds)));
}

void KernelTimes::take_change(Format from, Format to, int layer, const Section& section) {
  const int side_by_side = section.place.shared ? thread_count() : 1;
  const std::string what = of_change(from, to, layer, section);
  const ThreadScope scope(section.place.threads);
  const Conv2dShape map = map_of(graph_, layer, section.place.images);
  const auto step =
      from == to ? gather(from, map) : change_of_format(from, to, graph_, layer, map.batch);
  known_[what] = 0;
  if (step == nullptr) return;
  // Panels hold at least four columns, and are filled up.
  const Tensor input({4 * map.input_count() + PanelLayout::kWidth * map.in_channels}, 1.0f);
  Tensor output({(step->output_bytes() + 3) / 4});
  const Operands maps{view_of(input.data(), from), {}, view_of(output.data(), to), nullptr};
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) {
    const Stopwatch watch;
    step->run(maps);
    seconds.push_back(watch.seconds());
  }
  known_[what] = lower_quartile(seconds) / double(map.batch * side_by_side);
}

void KernelTimes::take_plans(const std::vector<Assignment>& plans) {
  std::vector<std::string> names;
  for (const Assignment& plan : plans) names.push_back(of_plan(plan));
  if (std::ranges::all_of(names, [&](const auto& name) { return knows(name); })) return;
  std::vector<Runner> runners;
  for (const Assignment& plan : plans) runners.emplace_back(graph_, plan, batch_);
  const Tensor images = random_values(batch_ * runners.front().plan.image_size());
  std::vector<double> of_first;
  std::vector<std::vector<double>> ratios(runners.size());  // to the first plan, round by round
  size_t begin = 0;
  repeat(51, [&] {
    std::vector<double> seconds(runners.size());
    for (size_t turn = 0; turn < runners.size(); ++turn) {
      const size_t r = (begin + turn) % runners.size();  // no plan always runs behind the same one
      seconds[r] = runners[r].run(images);
    }
    ++begin;
    of_first.push_back(seconds[0] / double(batch_));
    for (size_t r = 1; r < runners.size(); ++r) ratios[r].push_back(seconds[r] / seconds[0]);
  });
  const double first = known_.try_emplace(names[0], lower_quartile(of_first)).first->second;
  for (size_t r = 1; r < runners.size(); ++r) {
    known_.try_emplace(names[r], first * quantile(std::move(ratios[r]), 0.5));
  }
}

}  // namespace edgeprune::inference
