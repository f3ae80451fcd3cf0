#pragma once
// What pruning goes by: a method and its scores, what fractions are of, and what it must leave alone.

#include <string>
#include <vector>

#include "engine/base/names.h"
#include "engine/nn/network.h"
#include "pruning/units.h"

namespace edgeprune {

enum class Method {
  magnitude,       ///< unstructured: global L1 magnitude
  lamp,            ///< unstructured: layer-adaptive magnitude (Lee et al. 2021)
  channel,         ///< structured: output channels by the L2 norm of their weights, per layer
  taylor,          ///< unstructured: first-order Taylor importance (Molchanov et al. 2019), global
  channel_taylor,  ///< structured: the same of output channels, per layer
};
inline constexpr Named<Method> kMethods[] = {
    {Method::magnitude, "magnitude", "unstructured, global L1"},
    {Method::lamp, "lamp",
     "unstructured, magnitude relative to what is larger in the layer: spares small layers"},
    {Method::channel, "channel", "per layer, L2 of output channels"},
    {Method::taylor, "taylor",
     "unstructured, what the loss would change by without the weight, measured on images"},
    {Method::channel_taylor, "channel-taylor", "per layer, the same of output channels"}};
static_assert(in_order(kMethods));

inline const char* to_string(Method method) {
  return name_of(kMethods, method);
}
/// Throws std::invalid_argument listing the choices.
inline Method parse_method(const std::string& name) {
  return value_of("method", kMethods, name);
}

/// Scores of all units, from their values or, if the method needs images, gradients.
using ScoreFunction = Scores(const std::vector<Units>& units, const Gradients& gradients);
ScoreFunction absolute_values, lamp, sums_of_squares;  // magnitude.cpp
ScoreFunction taylor;                                  // taylor.cpp

/// What a method goes by.
struct Criterion {
  Method method;
  ScoreFunction* score;
  bool structured = false;    ///< whole channels go, not single weights
  bool needs_images = false;  ///< scores are measured
};
inline constexpr Criterion kCriteria[] = {
    {Method::magnitude, absolute_values},         {Method::lamp, lamp},
    {Method::channel, sums_of_squares, true},     {Method::taylor, taylor, false, true},
    {Method::channel_taylor, taylor, true, true},
};
constexpr const Criterion& criterion(Method method) {
  return kCriteria[static_cast<size_t>(method)];
}
constexpr bool is_structured(Method method) {
  return criterion(method).structured;
}
constexpr bool needs_images(Method method) {
  return criterion(method).needs_images;
}
/// The names of those that are so, as messages list them: "channel or channel-taylor".
std::string methods_that(bool (*are)(Method));

/// What a fraction is a fraction of.
enum class Base {
  original,   ///< the count before anything was pruned: what is pruned already counts towards it
  remaining,  ///< what is left: as torch.nn.utils.prune does when it prunes again
};
inline constexpr Named<Base> kBases[] = {{Base::original, "original"},
                                         {Base::remaining, "remaining"}};
static_assert(in_order(kBases));
inline const char* to_string(Base base) {
  return name_of(kBases, base);
}

/// What stays whatever the criterion says.
struct PruneLimits {
  /// Layers ("features.0.0", "classifier.1") of which nothing more goes; their weights count in
  /// fractions all the same. Channels that go by groups stay wherever such a layer makes or reads
  /// them.
  std::vector<std::string> keep = {};
  /// Each layer keeps at least this fraction of its weights, or of its output channels (each group
  /// of its channels); less only where less is left already. Counts are rounded up.
  double min_density = 0;
};

/// Throws std::invalid_argument unless every layer to keep is one of the model's (naming near ones)
/// and 0 <= min_density <= 1.
void require_valid(const PruneLimits& limits, const nn::Network& model);
/// Whether the layer is to be left alone.
bool keeps(const PruneLimits& limits, const std::string& layer);
/// How many of `count` have to stay by min_density.
int64_t least_kept(const PruneLimits& limits, int64_t count);

}  // namespace edgeprune
