#include "pruning/dead_channels.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "models/fold.h"

namespace edgeprune {
namespace {

/// What a channel carries, over all images and pixels. Ordered: a sum carries the most of its
/// terms.
enum class Signal {
  zero,
  constant,  ///< the same for every image, if not for every pixel (padding)
  data,
};
using Signals = std::vector<Signal>;

/// What is known of a group's channels once the whole network was walked.
struct Usage {
  Signals read;                   ///< the most that a layer reads with a weight that is not zero
  std::vector<bool> zero_filter;  ///< some layer that writes it has only zeros for it
};

void require_finite(const nn::Network& model) {
  for (const auto& [name, array] : model.state_dict()) {
    if (array.dtype != DType::f32) continue;
    const Tensor value = array.to_tensor(name);
    require(std::all_of(value.values().begin(), value.values().end(),
                        [](float v) { return std::isfinite(v); }),
            "compact", "{} holds values that are no finite numbers", name);
  }
}

/// Follows the signals through the folded network, layer by layer, and notes who reads what.
class Walk {
 public:
  explicit Walk(const std::vector<ChannelGroup>& groups) {
    for (const ChannelGroup& group : groups) {
      const auto channels = static_cast<size_t>(group.channels);
      Usage& usage = usages_.emplace_back();
      usage.read.assign(channels, Signal::zero);
      usage.zero_filter.assign(channels, false);
    }
    for (size_t g = 0; g < groups.size(); ++g) {
      for (const auto& [tensor, axis] : groups[g].slices) {
        (axis == 0 ? writes_ : reads_)[tensor] = &usages_[g];
      }
    }
  }

  std::vector<Usage> run(const inference::Graph& graph) {
    std::vector<Signals> outputs;
    const Signals images(static_cast<size_t>(graph.layers.front().shape.in_channels), Signal::data);
    for (size_t i = 0; i < graph.layers.size(); ++i) {
      const inference::Layer& layer = graph.layers[i];
      const int source = graph.input_of(i);
      const Signals& input = source < 0 ? images : outputs[static_cast<size_t>(source)];
      const Signals* other =
          layer.residual < 0 ? nullptr : &outputs[static_cast<size_t>(layer.residual)];
      outputs.push_back(output_of(layer, input, other));
    }
    return std::move(usages_);
  }

 private:
  static Usage* find(const std::map<std::string, Usage*>& usages, const std::string& layer) {
    const auto found = usages.find(layer + ".weight");
    return found == usages.end() ? nullptr : found->second;
  }

  /// `other`: what the layer adds or multiplies with; may be null.
  Signals output_of(const inference::Layer& layer, const Signals& input, const Signals* other) {
    using Kind = inference::Layer::Kind;
    Signals output = layer.kind == Kind::convolution ? convolved(layer, input) : input;
    for (size_t c = 0; c < output.size(); ++c) {
      const bool silenced = layer.kind == Kind::multiply && (*other)[c] == Signal::zero;
      if (silenced || (layer.kind == Kind::multiply && output[c] == Signal::zero)) {
        output[c] = Signal::zero;
      } else if (other != nullptr) {
        output[c] = std::max(output[c], (*other)[c]);
      }
      const bool awakes =
          layer.kind == Kind::activation && activate(form_of(layer.activation), 0) != 0;
      if (awakes) output[c] = std::max(output[c], Signal::constant);
    }
    return output;
  }

  Signals convolved(const inference::Layer& layer, const Signals& input) {
    Usage* const reader = find(reads_, layer.name);   // null: the images, or depthwise
    Usage* const writer = find(writes_, layer.name);  // null: the logits
    const bool depthwise = layer.shape.groups > 1;    // with one channel there is no difference
    const int64_t inputs = layer.weight.dim(1),
                  kernel = layer.weight.count() / layer.weight.dim(0) / inputs;
    Signals output(static_cast<size_t>(layer.shape.out_channels), Signal::zero);
    const float* weight = layer.weight.data();
    for (size_t o = 0; o < output.size(); ++o) {
      bool zero_filter = true;
      for (int64_t i = 0; i < inputs; ++i, weight += kernel) {
        if (std::all_of(weight, weight + kernel, [](float w) { return w == 0.0f; })) continue;
        zero_filter = false;
        const Signal read = input[depthwise ? o : static_cast<size_t>(i)];
        output[o] = std::max(output[o], read);
        if (reader != nullptr) reader->read[i] = std::max(reader->read[i], read);
      }
      const float bias = layer.bias.data()[o];
      const bool silent = activate(form_of(layer.activation), bias) == 0.0f;
      if (output[o] == Signal::zero && !silent) output[o] = Signal::constant;
      if (writer != nullptr && zero_filter) writer->zero_filter[o] = true;
    }
    return output;
  }

  std::vector<Usage> usages_;
  std::map<std::string, Usage*> reads_, writes_;  // by weight
};

std::string note_of(const Usage& usage) {
  int64_t constant = 0, partly = 0, alive = 0;
  for (size_t c = 0; c < usage.read.size(); ++c) {
    alive += usage.read[c] != Signal::zero;
    constant += usage.read[c] == Signal::constant;
    partly += usage.read[c] == Signal::data && usage.zero_filter[c];
  }
  if (alive == 0) return "a group's last channel cannot go";
  std::string note;
  if (constant > 0) {
    note = fmt::format("{} cannot go: filters are zero, batch norm's bias is not", constant);
  }
  if (partly > 0) {
    note += fmt::format("{}{} cannot go: zero in some of the layers that share them, not in all",
                        note.empty() ? "" : "; ", partly);
  }
  return note;
}

}  // namespace

ChannelPlan plan_dead_channels(const nn::Network& model) {
  require_finite(model);
  std::vector<ChannelGroup> groups = channel_groups(model.graph());
  const std::vector<Usage> usages = Walk(groups).run(fold_batch_norm(model));
  ChannelPlan plan;
  for (size_t g = 0; g < groups.size(); ++g) {
    GroupPlan& planned = plan.emplace_back();
    for (int64_t c = 0; c < groups[g].channels; ++c) {
      if (usages[g].read[static_cast<size_t>(c)] != Signal::zero) planned.kept.push_back(c);
    }
    if (planned.kept.empty()) planned.kept.push_back(0);
    planned.note = note_of(usages[g]);
    planned.group = std::move(groups[g]);
  }
  return plan;
}

}  // namespace edgeprune
