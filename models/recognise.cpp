#include "models/recognise.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/base/printable.h"

namespace edgeprune {
namespace {

using Arrays = std::map<std::string, Array>;

/// The first dimension of the tensor: its output channels. None if there is no such tensor.
std::optional<int64_t> outputs(const Arrays& arrays, const std::string& name) {
  const auto found = arrays.find(name + ".weight");
  if (found == arrays.end() || found->second.shape.rank() == 0) return {};
  return found->second.shape[0];
}

bool same_channels(const Architecture& a, const Architecture& b) {
  return a.stem == b.stem && a.last == b.last &&
         std::equal(a.blocks.begin(), a.blocks.end(), b.blocks.begin(), b.blocks.end(),
                    [](const BlockSpec& x, const BlockSpec& y) {
                      return x.hidden == y.hidden && x.out == y.out && x.expand == y.expand;
                    });
}

bool fits_within(const Architecture& a, const Architecture& whole) {
  return a.stem <= whole.stem && a.last <= whole.last &&
         std::equal(a.blocks.begin(), a.blocks.end(), whole.blocks.begin(), whole.blocks.end(),
                    [](const BlockSpec& x, const BlockSpec& y) {
                      return x.hidden <= y.hidden && x.out <= y.out;
                    });
}

/// The roundest width whose network passes. Widths that differ by less than a channel's multiple of
/// 8 are the same network.
template <typename Test>
std::optional<Architecture> of_width(const Architecture& found, const Test& test) {
  constexpr double kWidest = 4;
  for (const int parts : {1, 4, 10, 20, 100}) {
    for (int i = 1; i <= kWidest * parts; ++i) {
      const auto candidate =
          Architecture::mobilenet_v2(double(i) / parts, found.input_size, found.classes);
      if (test(candidate)) return candidate;
    }
  }
  return {};
}

/// The names that tell other networks, as their libraries have them.
constexpr std::pair<const char*, const char*> kTellTales[] = {
    {"layer1.0.conv1.weight", "a ResNet"},
    {"blocks.0.0.conv_dw.weight", "timm's names of a MobileNet or an EfficientNet"},
    {"features.1.block.0.0.weight", "torchvision's MobileNetV3 or EfficientNet"},
    {"features.denseblock1.denselayer1.norm1.weight", "a DenseNet"},
    {"features.0.weight", "a VGG, AlexNet or SqueezeNet"},
    {"cls_token", "a vision transformer"},
    {"class_token", "a vision transformer"},
    {"stages.0.0.conv_dw.weight", "a ConvNeXt"},
};

}  // namespace

Architecture recognise(const Arrays& arrays, int64_t input_size) {
  const auto paper = Architecture::mobilenet_v2(1.0, input_size);
  Architecture found = paper;
  found.classes = outputs(arrays, kHeadName).value_or(paper.classes);
  found.stem = outputs(arrays, "features.0.0").value_or(paper.stem);
  int64_t in = found.stem;
  for (size_t i = 0; i < found.blocks.size(); ++i) {
    BlockSpec& block = found.blocks[i];
    const std::string prefix = fmt::format("features.{}.conv.", i + 1);
    const int depthwise = block.expand ? 1 : 0;
    block.hidden = outputs(arrays, fmt::format("{}{}.0", prefix, depthwise)).value_or(block.hidden);
    block.out = outputs(arrays, fmt::format("{}{}", prefix, depthwise + 1)).value_or(block.out);
    block.residual = block.residual && block.out == in;
    in = block.out;
  }
  const std::string last = fmt::format("features.{}.0", found.blocks.size() + 1);
  found.last = outputs(arrays, last).value_or(paper.last);
  const bool sensible = found.classes >= 2 && found.classes < 1 << 20;
  if (!sensible) return paper;
  const auto exact = of_width(found, [&](const auto& a) { return same_channels(found, a); });
  if (exact) return *exact;  // with its residuals: at small widths more blocks have one
  const auto whole = of_width(found, [&](const auto& a) { return fits_within(found, a); });
  if (!whole) return paper;
  found.width = whole->width;
  return found;
}

std::string guess(const Arrays& arrays, const Architecture& architecture) {
  if (outputs(arrays, "features.0.0") && outputs(arrays, "features.1.conv.1")) {
    const Architecture found = recognise(arrays, architecture.input_size);
    if (!outputs(arrays, kHeadName)) {
      return " (no head? edgeprune train --weights and edgeprune import --classes make a new one)";
    }
    if (same_channels(found, architecture)) return "";
    return fmt::format(" (width {0:g}? pass --width {0:g})", found.width);
  }
  for (const auto& [name, network] : kTellTales) {
    if (arrays.contains(name)) {
      return fmt::format(" (another network: {} looks like {})", name, network);
    }
  }
  if (arrays.empty()) return " (the file has no tensors)";
  return fmt::format(" (another network: its {} tensors are named as {})", arrays.size(),
                     printable(arrays.begin()->first));
}

}  // namespace edgeprune
