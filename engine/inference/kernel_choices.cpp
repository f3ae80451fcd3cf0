#include "engine/inference/kernel_choices.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/inference/cheapest.h"

namespace edgeprune::inference {
namespace {

/// What a path must save of a step, and a plan as a whole, to be taken instead of the fastest engine's:
/// times that differ by less may do so by chance. The second path leaves it only where much is gained.
constexpr std::pair<const char*, double> kPaths[] = {{"mixed", 0.97}, {"mixed cautiously", 0.85}};
constexpr double kWholeGain = 0.97;
/// Sparse kernels are as slow a multiplication as dense ones at best: with fewer zeros they are not
/// worth the time that timing takes.
constexpr double kFewestZeros = 0.25;

class Chooser {
 public:
  Chooser(const Graph& graph, int64_t batch, KernelChoices& choices)
      : graph_(graph), batch_(batch), choices_(choices), times_(graph, batch, choices.times) {
    const auto& zeros = times_.zeros();
    const bool sparse =
        std::ranges::any_of(zeros, [](double share) { return share >= kFewestZeros; });
    for (const Engine engine :
         {Engine::dense, Engine::onednn, Engine::int8, Engine::sparse, Engine::int8_sparse}) {
      const bool skips = engine == Engine::sparse || engine == Engine::int8_sparse;
      if (can_run(engine, graph) && (!skips || sparse)) add_engine(engine);
    }
    for (const Assignment& plan : plans_) {
      if (std::ranges::count(groupings_, plan.grouping) == 0) groupings_.push_back(plan.grouping);
    }
  }

  Choice choose() {
    if (only_one_way()) return {plans_.front(), {}, {}};
    for (const Grouping grouping : groupings_) time_kernels(grouping);
    time_plans();
    const auto seconds = [&](const Assignment& plan) { return times_[times_.of_plan(plan)]; };
    size_t best = index_of_least(seconds);
    std::swap(plans_[0], plans_[best]);
    std::swap(names_[0], names_[best]);
    for (const auto& [name, gain] : kPaths) add_path(name, gain);
    time_plans();
    best = index_of_least([&](const Assignment& plan) {
      return &plan == plans_.data() ? kWholeGain * seconds(plan) : seconds(plan);
    });
    Choice choice{plans_[best], alternatives(plans_[best]), {}};
    for (size_t i = 0; i < plans_.size(); ++i) {
      choice.plans.push_back({names_[i], seconds(plans_[i]), i == best});
    }
    return choice;
  }

 private:
  void add(const std::string& name, Assignment plan) {
    if (batch_ == 1) plan.grouping = Grouping::whole_batch;  // there is one way to group it
    if (std::ranges::count(plans_, plan) > 0) return;
    plans_.push_back(std::move(plan));
    names_.push_back(name);
  }
  void add_engine(Engine engine) { add(to_string(engine), assignment_of(graph_, engine, batch_)); }

  void add_path(const char* name, double gain) {
    const Assignment fastest = plans_.front();
    std::optional<Path> best;
    for (const Grouping grouping : groupings_) {
      const Costs costs{
          [&](const Kernel& kernel, size_t first, const Section& section) {
            const bool same = grouping == fastest.grouping && fastest.kernels[first] == &kernel;
            return times_[times_.of_kernel(kernel, first, section)] / (same ? 1 : gain);
          },
          [&](Format from, Format to, int layer, const Section& section) {
            return time_of_change(from, to, layer, section);
          }};
      auto path = cheapest(graph_, grouping, batch_, costs);
      if (path && (!best || path->cost < best->cost)) best = std::move(path);
    }
    if (best) add(name, std::move(best->assignment));
  }

  double time_of_change(Format from, Format to, int layer, const Section& section) {
    const std::string what = times_.of_change(from, to, layer, section);
    if (!times_.knows(what)) times_.take_change(from, to, layer, section);
    return times_[what];
  }

  void time_plans() {
    const auto known = [&](const Assignment& p) { return times_.knows(times_.of_plan(p)); };
    if (!std::ranges::all_of(plans_, known)) say(fmt::format("{} whole plans", plans_.size()));
    times_.take_plans(plans_);
  }

  template <typename Seconds>
  size_t index_of_least(const Seconds& seconds) const {
    return static_cast<size_t>(std::ranges::min_element(plans_, {}, seconds) - plans_.begin());
  }

  /// Whether auto may take the kernel: it supports the layers, and they have zeros that it can skip.
  bool eligible(const Kernel& kernel, size_t first, const Section& section) const {
    if (!supports(kernel, graph_, first, section)) return false;
    for (size_t i = 0; i < kernel.layers; ++i) {
      if (kernel.sparse[i] && times_.zeros()[first + i] < kFewestZeros) return false;
    }
    return true;
  }

  template <typename Body>
  void for_each_eligible(Grouping grouping, const Body& body) const {
    for (const Section& section : sections(graph_, grouping, batch_)) {
      for (size_t i = section.begin; i < section.end; ++i) {
        for (const Kernel& kernel : kernel_table()) {
          if (eligible(kernel, i, section)) body(kernel, i, section);
        }
      }
    }
  }

  bool only_one_way() const {
    if (plans_.size() > 1) return false;
    size_t ways = 0;
    for_each_eligible(groupings_.front(), [&](const Kernel&, size_t, const Section&) { ++ways; });
    return ways == graph_.layers.size();
  }

  /// Times what is unknown, in as few plans as it takes to run each such kernel once.
  void time_kernels(Grouping grouping) {
    std::set<std::string> missing;
    for_each_eligible(grouping, [&](const Kernel& kernel, size_t i, const Section& section) {
      std::string what = times_.of_kernel(kernel, i, section);
      if (!times_.knows(what)) missing.insert(std::move(what));
    });
    const size_t count = missing.size();
    std::vector<Assignment> plans;
    for (const Assignment& plan : plans_) {
      if (plan.grouping == grouping && cross_off(plan, missing)) plans.push_back(plan);
    }
    while (!missing.empty()) {
      const Assignment plan = with_missing(grouping, missing);
      if (!cross_off(plan, missing)) break;  // a kernel that nothing leads to
      plans.push_back(plan);
    }
    if (plans.empty()) return;
    say(fmt::format("{} kernels, in {} plans", count, plans.size()));
    times_.take_kernels(plans);
  }

  /// Whether the plan runs any of them.
  bool cross_off(const Assignment& plan, std::set<std::string>& missing) const {
    size_t found = 0;
    for (const Section& section : sections(graph_, plan.grouping, batch_)) {
      for (size_t i = section.begin; i < section.end; ++i) {
        if (plan.kernels[i] == nullptr) continue;
        found += missing.erase(times_.of_kernel(*plan.kernels[i], i, section));
      }
    }
    return found > 0;
  }

  /// Kernels that are missing where there are, else single layers in the format that is at hand.
  Assignment with_missing(Grouping grouping, std::set<std::string> missing) const {
    Assignment plan{grouping, {}};
    Format at_hand = Format::channels_last;
    for (const Section& section : sections(graph_, grouping, batch_)) {
      while (plan.kernels.size() < section.end) {
        const size_t i = plan.kernels.size();
        const Kernel* best = nullptr;
        int best_rank = -1;
        for (const Kernel& kernel : kernel_table()) {
          if (!eligible(kernel, i, section)) continue;
          const bool wanted = missing.contains(times_.of_kernel(kernel, i, section));
          const int rank = 4 * wanted + 2 * (kernel.layers == 1) + (kernel.input == at_hand);
          if (rank > best_rank) best = &kernel, best_rank = rank;
        }
        missing.erase(times_.of_kernel(*best, i, section));
        at_hand = best->output;
        plan.kernels.push_back(best);
        plan.kernels.resize(i + best->layers, nullptr);
      }
    }
    return plan;
  }

  std::vector<Choice::Alternative> alternatives(const Assignment& taken) const {
    std::vector<Choice::Alternative> all;
    for_each_eligible(taken.grouping, [&](const Kernel& kernel, size_t i, const Section& section) {
      all.push_back(
          {i, &kernel, times_[times_.of_kernel(kernel, i, section)], taken.kernels[i] == &kernel});
    });
    return all;
  }

  void say(const std::string& what) const {
    if (!choices_.progress) return;
    const int threads = thread_count();
    choices_.progress(fmt::format("auto times {} (batch {}, {} thread{})", what, batch_, threads,
                                  threads == 1 ? "" : "s"));
  }

  const Graph& graph_;
  int64_t batch_;
  KernelChoices& choices_;
  KernelTimes times_;
  std::vector<Assignment> plans_;
  std::vector<std::string> names_;  // of the plans
  std::vector<Grouping> groupings_;
};

}  // namespace

Choice KernelChoices::choose(const Graph& graph, int64_t batch) {
  return Chooser(graph, batch, *this).choose();
}

}  // namespace edgeprune::inference
