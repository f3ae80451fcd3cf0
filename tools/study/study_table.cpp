#include "tools/study/study_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace edgeprune {
namespace {

/// "30 % of all weights", "10 % of the channels left"
std::string what_goes(const PruneRequest& request) {
  const char* what = is_structured(request.method) ? "channels" : "weights";
  const double percent = 100 * request.step.fraction;
  return request.step.base == Base::original
             ? fmt::format("{:.4g} % of all {}", percent, what)
             : fmt::format("{:.4g} % of the {} left", percent, what);
}

/// "nothing: 8 bits (ptq)"
std::string quantized_how(Quantizing quantize) {
  return fmt::format("nothing: 8 bits ({})", name_of(kQuantizings, quantize));
}

}  // namespace

EpochImages epoch_images(const StudyPlan& plan, std::optional<int64_t> available) {
  const auto count = [&](int64_t wanted) -> std::optional<int64_t> {
    if (wanted == 0) return available;
    return available ? std::min(wanted, *available) : wanted;
  };
  return {count(plan.train_images), count(plan.finetune_images)};
}

Table steps_table(const std::vector<StudyStep>& steps, const EpochImages& images) {
  Table table({{"step", "step", Align::left},
               {"row", "row", Align::left},
               {"parent", "parent", Align::left},
               {"mode", "mode", Align::left},
               {"what is pruned", "prunes", Align::left},
               {"recovery", "recovery", Align::left},
               {"epochs", "epochs"},
               {"images to train", "images"}});
  int64_t rows = 0, epochs = 0;
  std::optional<int64_t> sum = 0;
  for (const StudyStep& step : steps) {
    const std::optional<int64_t> epoch = step.is_baseline() ? images.baseline : images.finetuning;
    const std::optional<int64_t> cost = epoch ? std::optional(*epoch * step.epochs) : std::nullopt;
    table.add_row({step.id, step.row ? "yes" : "", step.parent,
                   step.prune ? to_string(step.prune->mode) : "",
                   step.quantize ? quantized_how(*step.quantize)
                   : step.prune  ? what_goes(*step.prune)
                                 : "",
                   step.recovery.to_string(), step.epochs, cost ? Cell(*cost) : Cell()});
    rows += step.row;
    epochs += step.epochs;
    sum = sum && cost ? std::optional(*sum + *cost) : std::nullopt;
  }
  table.add_row({fmt::format("{} steps", steps.size()), fmt::format("{} rows", rows), "", "", "",
                 "", epochs, sum ? Cell(*sum) : Cell()});
  return table;
}

}  // namespace edgeprune
