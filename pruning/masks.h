#pragma once
// Which weights go: the study's two heuristics, as masks over the prunable weights. (Channels that
// go together, batch norm included, are group_plan.h's.)

#include <map>
#include <string>
#include <vector>

#include "engine/optim/optimizer.h"
#include "models/mobilenet_v2.h"

namespace edgeprune {

/// Per parameter name a tensor of its shape: 1 keeps, 0 prunes.
using Masks = std::map<std::string, Tensor>;

enum class Method {
  magnitude,  ///< unstructured: global L1 magnitude
  channel,    ///< structured: output channels by the L2 norm of their weights, per layer
};
const char* to_string(Method method);
/// Throws std::invalid_argument listing the choices.
Method parse_method(const std::string& name);

/// Masks by a heuristic. `fraction` is of the original count: what is zero already counts towards
/// it and, as the smallest, is the first to go, so that repeated pruning only ever adds. Throws
/// std::invalid_argument unless 0 <= fraction < 1, if more than that is zero already, or if a
/// weight is not finite.
Masks make_masks(const MobileNetV2& model, Method method, double fraction);

/// Of all prunable weights together, the round(fraction * count) of smallest absolute value go:
/// exactly so many; ties go by position in the network (as torch.nn.utils.prune.global_unstructured
/// with L1Unstructured).
Masks magnitude_masks(const MobileNetV2& model, double fraction);

/// In every Conv2d, depthwise ones included, the round(fraction * channels) output channels of
/// smallest L2 norm go; the Linear head is left alone (as torch.nn.utils.prune.ln_structured with
/// n=2, dim=0). Shapes stay.
Masks channel_masks(const MobileNetV2& model, double fraction);

/// The masks of a model that was pruned before: its zero weights stay zero, and so does batch norm
/// of a channel that went with its group, known by weight and bias both being zero.
Masks masks_of_zeros(const MobileNetV2& model);

/// Zeroes what is masked.
void apply_masks(const Masks& masks, MobileNetV2& model);
/// From now on the optimiser keeps them zero.
void hold_masks(const Masks& masks, optim::Optimizer& optimizer);

/// Iterative, exact: 0.1, 0.2, ... up to and including the target, as fractions of the original
/// count.
std::vector<double> exact_steps(double target, double step = 0.1);

}  // namespace edgeprune
