#include "tools/training/starting_point.h"

#include <algorithm>

#include "models/networks.h"
#include "models/summary.h"

namespace edgeprune {

StartingPoint::StartingPoint(const std::string& weights, const Wanted& wanted) : wanted_(wanted) {
  if (weights == "random") {
    if (wanted.input_size != 0) input_size_ = wanted.input_size;
    return;
  }
  stored_ = read_checkpoint(weights, wanted);
  wanted_.classes = 2;  // any, as long as they are not known: the file may have no head
  const Checkpoint file = make_checkpoint(*stored_, wanted_);
  input_size_ = file.model->graph().input_size();
  resize_ = file.info.resize;
}

Checkpoint StartingPoint::start(const std::vector<std::string>& classes,
                                const std::function<void(const std::string&)>& say) const {
  Wanted wanted = wanted_;
  wanted.classes = static_cast<int64_t>(classes.size());
  Checkpoint start;
  if (stored_) {
    start = make_checkpoint(*stored_, wanted);
    for (const std::string& note : start.notes) say(note);
    nlohmann::json step = {{"step", "import"}, {"sha256", start.sha256}};
    if (start.info.is_pruned()) step["pruned"] = true;
    start.info.history = nlohmann::json::array({step});
  } else {
    NetworkSpec spec{.input_size = input_size_, .classes = wanted.classes};
    if (!wanted.network.empty()) spec.name = wanted.network;
    if (wanted.width != 0) spec.width = wanted.width;
    start.model = std::make_unique<nn::Network>(build_network(spec), wanted.seed);
    start.info.history.push_back({{"step", "random"}, {"seed", wanted.seed}});
  }
  start.info.classes = classes;
  return start;
}

void take_normalisation(ModelInfo& info, const TrainOptions& options) {
  if (!options.mean.empty()) std::copy_n(options.mean.begin(), 3, info.mean.begin());
  if (!options.std.empty()) std::copy_n(options.std.begin(), 3, info.std.begin());
}

Masks zeros_to_keep(const Checkpoint& checkpoint,
                    const std::function<void(const std::string&)>& say) {
  if (!checkpoint.info.is_pruned()) return {};
  const ModelSummary summary = summarize(*checkpoint.model);
  const int64_t zeros = summary.prunable - summary.nonzero_prunable;
  if (zeros == 0) return {};  // the pruned channels are gone
  say(fmt::format("{} of {} prunable weights are zero and stay zero", zeros, summary.prunable));
  return masks_of_zeros(*checkpoint.model);
}

}  // namespace edgeprune
