#include "tools/training/starting_point.h"

#include "engine/base/file.h"

namespace edgeprune {

Checkpoint start_from_weights(const std::string& weights, const std::vector<std::string>& classes,
                              uint64_t seed, const std::function<void(const std::string&)>& say) {
  const auto architecture =
      Architecture::mobilenet_v2(1.0, 64, static_cast<int64_t>(classes.size()));
  Checkpoint start;
  start.info.classes = classes;
  if (weights == "random") {
    start.model = std::make_unique<MobileNetV2>(architecture, seed);
    start.info.history.push_back({{"step", "random"}, {"seed", seed}});
    return start;
  }
  Pretrained loaded = load_pretrained(weights, architecture, seed);
  say(loaded.head);
  start.model = std::move(loaded.model);
  start.sha256 = sha256_of_file(weights);
  start.info.history.push_back({{"step", "import"}, {"sha256", start.sha256}});
  return start;
}

}  // namespace edgeprune
