#include "tools/measurement/evaluate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "engine/ops/cross_entropy.h"
#include "models/summary.h"
#include "tools/measurement/infer.h"

namespace edgeprune {
namespace {

constexpr size_t kNamedLayers = 5;

/// Whether there is a way from the images to the logits past these nodes.
bool a_way_past(const Graph& graph, const std::vector<std::string>& names) {
  std::vector<bool> reached(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto is_reached = [&](size_t input) { return reached[input]; };
    reached[i] = std::ranges::count(names, node.name) == 0 &&
                 (node.inputs.empty() || std::ranges::any_of(node.inputs, is_reached));
  }
  return reached.back();
}

/// Empty unless the images are of several classes.
std::string one_class_for_all(const Confusion& confusion) {
  const size_t classes = confusion.classes().size();
  for (size_t c = 0; c < classes; ++c) {
    if (confusion.images_of(c) == confusion.images()) return "";
  }
  for (size_t c = 0; c < classes; ++c) {
    if (confusion.called(c) < confusion.images()) continue;
    return fmt::format(
        "all {} images are called '{}': the network does not tell them apart, its accuracy is that "
        "class's share",
        confusion.images(), printable(confusion.classes()[c]));
  }
  return "";
}

std::string warning_about(const nn::Network& model, const Confusion& confusion) {
  const std::string dead = dead_layers(model), constant = one_class_for_all(confusion);
  return dead.empty() || constant.empty() ? dead + constant : dead + "; " + constant;
}

}  // namespace

std::string correct_digits(const Tensor& logits, const std::vector<int>& labels) {
  require(logits.defined() && logits.shape().rank() == 2 && logits.dim(0) == std::ssize(labels),
          "correct", "expected logits [{},classes], got {}", labels.size(),
          logits.defined() ? logits.shape().to_string() : "none");
  const std::vector<int> predicted = predicted_classes(logits);
  std::string digits;
  for (size_t first = 0; first < labels.size(); first += 4) {
    int digit = 0;
    for (size_t n = first; n < first + 4; ++n) {
      digit = 2 * digit + (n < labels.size() && predicted[n] == labels[n] ? 1 : 0);
    }
    digits += "0123456789abcdef"[digit];
  }
  return digits;
}

void require_same_classes(const std::vector<std::string>& classes, const Dataset& dataset) {
  require(classes.size() == dataset.classes.size(), "data", "the model has {} classes, {} has {}",
          classes.size(), dataset.source, dataset.classes.size());
  if (classes == placeholder_names(std::ssize(classes))) return;
  for (size_t i = 0; i < classes.size(); ++i) {
    require(classes[i] == dataset.classes[i], "data", "class {} is '{}' in the model, '{}' in {}",
            i, classes[i], dataset.classes[i], dataset.source);
  }
}

bool take_class_names(ModelInfo& info, const Dataset& dataset) {
  if (!info.has_placeholder_names() || info.classes.size() != dataset.classes.size()) return false;
  const bool other = info.classes != dataset.classes;
  info.classes = dataset.classes;
  return other;
}

std::string dead_layers(const nn::Network& model) {
  std::vector<std::string> dead;
  for (const LayerSummary& layer : summarize(model).layers) {
    if (layer.nonzeros == 0) dead.push_back(layer.name);
  }
  if (a_way_past(model.graph(), dead)) return "";
  const size_t named = std::min(dead.size(), kNamedLayers);
  return fmt::format(
      "no weight of {}{} is left, so that nothing of the image passes through: see "
      "--min-density, --keep and --method lamp",
      fmt::join(dead.begin(), dead.begin() + static_cast<std::ptrdiff_t>(named), ", "),
      dead.size() > named ? fmt::format(" and {} more layers", dead.size() - named) : "");
}

void report_warning(const std::string& warning, bool strict,
                    const std::function<void(const std::string&)>& say) {
  if (warning.empty()) return;
  if (strict) throw std::runtime_error("[strict] " + warning);
  say("warning: " + warning);
}

Evaluation evaluate(const nn::Network& model, const ModelInfo& info, const Dataset& dataset,
                    inference::Engine engine, int64_t batch,
                    const std::optional<Threshold>& threshold) {
  require_same_classes(info.classes, dataset);
  const Inference all = infer("evaluate", model, info, dataset, engine, batch);
  Confusion confusion(dataset.classes, all.labels, predicted_classes(all.logits, threshold));
  return {.accuracy = confusion.accuracy(),
          .loss = ops::cross_entropy(Variable(all.logits), all.labels).value().data()[0],
          .images = std::ssize(all.labels),
          .ms_per_image = all.ms_per_image,
          .logits = all.logits,
          .confusion = confusion,
          .warning = warning_about(model, confusion)};
}

}  // namespace edgeprune
