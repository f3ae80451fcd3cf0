#include "tools/training/starting_point.h"

#include "models/summary.h"

namespace edgeprune {

Checkpoint start_from_weights(const std::string& weights, const std::vector<std::string>& classes,
                              Wanted wanted, const std::function<void(const std::string&)>& say) {
  wanted.classes = static_cast<int64_t>(classes.size());
  Checkpoint start;
  if (weights == "random") {
    const auto architecture =
        Architecture::mobilenet_v2(wanted.width != 0 ? wanted.width : 1.0,
                                   wanted.input_size != 0 ? wanted.input_size : 64, wanted.classes);
    start.model = std::make_unique<MobileNetV2>(architecture, wanted.seed);
    start.info.history.push_back({{"step", "random"}, {"seed", wanted.seed}});
  } else {
    start = load_checkpoint(weights, wanted);
    for (const std::string& note : start.notes) say(note);
    nlohmann::json step = {{"step", "import"}, {"sha256", start.sha256}};
    if (start.info.is_pruned()) step["pruned"] = true;
    start.info.history = nlohmann::json::array({step});
  }
  start.info.classes = classes;
  return start;
}

std::pair<int64_t, Resize> images_of_weights(const std::string& weights, Wanted wanted) {
  const ModelInfo unknown;
  if (weights == "random") {
    return {wanted.input_size != 0 ? wanted.input_size : 64, unknown.resize};
  }
  wanted.classes = 2;  // any: the file may have no head
  const Checkpoint file = load_checkpoint(weights, wanted);
  return {file.model->architecture().input_size, file.info.resize};
}

Masks zeros_to_keep(const Checkpoint& checkpoint,
                    const std::function<void(const std::string&)>& say) {
  if (!checkpoint.info.is_pruned()) return {};
  const ModelSummary summary = summarize(*checkpoint.model);
  say(fmt::format("{} of {} prunable weights are zero and stay zero",
                  summary.prunable - summary.nonzero_prunable, summary.prunable));
  return masks_of_zeros(*checkpoint.model);
}

}  // namespace edgeprune
