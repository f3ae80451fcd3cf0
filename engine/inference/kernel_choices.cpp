#include "engine/inference/kernel_choices.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/random.h"
#include "engine/base/timer.h"
#include "engine/inference/plan.h"

namespace edgeprune::inference {
namespace {

constexpr double kGain = 0.97;  // times that differ by less may do so by chance

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A plan and the times of its layers, run by run.
class Candidate {
 public:
  Candidate(const Graph& graph, bool sparse, int64_t batch)
      : plan_(graph, std::vector<bool>(graph.layers.size(), sparse), batch),
        logits_({batch, plan_.classes()}) {}

  void run(const Tensor& images) {
    std::vector<double> seconds;
    plan_.run(images.data(), logits_.data(), &seconds);
    for (size_t i = 0; i < seconds.size(); ++i) {
      const StepInfo& step = plan_.steps()[i];
      if (step.flops > 0) times_[step.layer].push_back(seconds[i]);
    }
  }
  int64_t image_size() const { return plan_.image_size(); }
  double seconds_per_image(const std::string& layer) const {
    return median(times_.at(layer)) / double(plan_.batch());
  }

 private:
  Plan plan_;
  Tensor logits_;
  std::map<std::string, std::vector<double>> times_;
};

}  // namespace

std::string KernelChoices::key(const Layer& layer, int64_t batch, int threads) {
  if (!layer.pointwise()) return "";
  const Conv2dShape& s = layer.shape;
  return fmt::format("{}x{} at {}x{}, {:.0f} % zeros, batch {}, {} thread{}", s.in_channels,
                     s.out_channels, s.in_height, s.in_width, 100 * layer.zeros(), batch, threads,
                     threads == 1 ? "" : "s");
}

std::vector<bool> KernelChoices::choose(const Graph& graph, int64_t batch) {
  const int threads = thread_count();
  std::vector<std::string> keys;
  bool all_known = true;
  for (const Layer& layer : graph.layers) {
    keys.push_back(key(layer, batch, threads));
    all_known = all_known && (keys.back().empty() || times.contains(keys.back()));
  }
  if (!all_known) {
    constexpr int kRuns = 25;  // the medians forget the first, cold ones
    constexpr double kSeconds = 0.2;
    Candidate dense(graph, false, batch), sparse(graph, true, batch);
    Tensor images({batch, dense.image_size()});
    Rng rng(0);
    for (float& value : images.values()) value = rng.normal();
    const Stopwatch watch;
    for (int i = 0; i < kRuns || watch.seconds() < kSeconds; ++i) {
      dense.run(images);
      sparse.run(images);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      if (keys[i].empty() || times.contains(keys[i])) continue;
      const std::string& name = graph.layers[i].name;
      times[keys[i]] = {dense.seconds_per_image(name), sparse.seconds_per_image(name)};
    }
  }
  double dense = 0, sparse = 0;
  for (const std::string& k : keys) {
    if (k.empty()) continue;
    dense += times.at(k).dense;
    sparse += times.at(k).sparse;
  }
  std::vector<bool> choice;
  for (const std::string& k : keys) {
    if (k.empty()) {
      choice.push_back(false);
    } else if (sparse < dense) {
      choice.push_back(times.at(k).dense > kGain * times.at(k).sparse);
    } else {
      choice.push_back(times.at(k).sparse < kGain * times.at(k).dense);
    }
  }
  return choice;
}

}  // namespace edgeprune::inference
