#include "models/architecture.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

/// torchvision's _make_divisible: the nearest multiple of 8, but never more than 10 % below the
/// value.
int64_t make_divisible(double value) {
  const int64_t rounded = std::max<int64_t>(8, int64_t(value + 4.0) / 8 * 8);
  return double(rounded) < 0.9 * value ? rounded + 8 : rounded;
}

}  // namespace

void validate(const Architecture& a) {
  constexpr int64_t kMost = 1 << 20;  // of anything: keeps a damaged file from asking for terabytes
  constexpr size_t kMostBlocks = 1000;  // MobileNetV2 has 17; each takes memory of its own
  require(a.blocks.size() <= kMostBlocks, "Architecture", "{} blocks, at most {} expected",
          a.blocks.size(), kMostBlocks);
  require(a.width > 0 && a.width <= 16, "Architecture", "expected a width in (0, 16], got {}",
          a.width);
  require(a.input_size >= 32 && a.input_size <= 4096, "Architecture",
          "expected an input size from 32 to 4096, got {}", a.input_size);
  require(a.classes >= 2 && a.classes <= kMost, "Architecture",
          "expected at least 2 classes, got {}", a.classes);
  require(a.stem > 0 && a.stem <= kMost && a.last > 0 && a.last <= kMost && !a.blocks.empty(),
          "Architecture", "stem {}, last {}, {} blocks make no network", a.stem, a.last,
          a.blocks.size());
  int64_t in = a.stem;
  for (const BlockSpec& b : a.blocks) {
    require(b.hidden > 0 && b.hidden <= kMost && b.out > 0 && b.out <= kMost &&
                (b.stride == 1 || b.stride == 2) && (b.expand || b.hidden == in) &&
                (!b.residual || (b.stride == 1 && b.out == in)),
            "Architecture", "a block of {} -> {} -> {} channels, stride {} makes no sense", in,
            b.hidden, b.out, b.stride);
    in = b.out;
  }
}

Architecture Architecture::mobilenet_v2(double width, int64_t input_size, int64_t classes) {
  struct Row {
    int64_t expansion, channels, repeats, stride;
  };
  constexpr Row kTable[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                            {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  Architecture a;
  a.width = width;
  a.input_size = input_size;
  a.classes = classes;
  a.stem = make_divisible(32 * width);
  a.last = make_divisible(1280 * std::max(1.0, width));
  int64_t in = a.stem;
  for (const Row& row : kTable) {
    const int64_t out = make_divisible(double(row.channels) * width);
    for (int64_t i = 0; i < row.repeats; ++i) {
      const int64_t stride = i == 0 ? row.stride : 1;
      a.blocks.push_back({.hidden = in * row.expansion,
                          .out = out,
                          .stride = stride,
                          .expand = row.expansion != 1,
                          .residual = stride == 1 && in == out});
      in = out;
    }
  }
  validate(a);
  return a;
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BlockSpec, hidden, out, stride, expand, residual)

void to_json(nlohmann::json& json, const Architecture& a) {
  json = {{"name", "mobilenet_v2"}, {"width", a.width}, {"input_size", a.input_size},
          {"classes", a.classes},   {"stem", a.stem},   {"last", a.last},
          {"blocks", a.blocks}};
}

void from_json(const nlohmann::json& json, Architecture& a) {
  const std::string name = json.at("name").get<std::string>();
  require(name == "mobilenet_v2", "Architecture", "expected mobilenet_v2, got '{}'",
          printable(name));
  json.at("width").get_to(a.width);
  json.at("input_size").get_to(a.input_size);
  json.at("classes").get_to(a.classes);
  json.at("stem").get_to(a.stem);
  json.at("last").get_to(a.last);
  json.at("blocks").get_to(a.blocks);
  validate(a);
}

std::vector<ConvSpec> unroll(const Architecture& a) {
  std::vector<ConvSpec> convs;
  int64_t size = a.input_size, channels = 3;
  const auto append = [&](std::string conv, std::string norm, int64_t out, int64_t kernel,
                          int64_t stride, int64_t groups, Activation activation) -> ConvSpec& {
    const Conv2dShape shape{.batch = 1,
                            .in_height = size,
                            .in_width = size,
                            .in_channels = channels,
                            .out_channels = out,
                            .kernel = kernel,
                            .stride = stride,
                            .padding = kernel / 2,
                            .groups = groups};
    size = shape.out_height();
    channels = out;
    return convs.emplace_back(ConvSpec{std::move(conv), std::move(norm), shape, activation});
  };

  append("features.0.0", "features.0.1", a.stem, 3, 2, 1, Activation::relu6);
  for (size_t i = 0; i < a.blocks.size(); ++i) {
    const BlockSpec& b = a.blocks[i];
    const std::string prefix = fmt::format("features.{}.conv.", i + 1);
    const size_t first = convs.size();
    int part = 0;
    if (b.expand) {
      append(prefix + "0.0", prefix + "0.1", b.hidden, 1, 1, 1, Activation::relu6);
      part = 1;
    }
    append(fmt::format("{}{}.0", prefix, part), fmt::format("{}{}.1", prefix, part), b.hidden, 3,
           b.stride, b.hidden, Activation::relu6);
    append(fmt::format("{}{}", prefix, part + 1), fmt::format("{}{}", prefix, part + 2), b.out, 1,
           1, 1, Activation::none)
        .adds_residual = b.residual;
    convs[first].opens_block = true;
  }
  const size_t end = a.blocks.size() + 1;
  append(fmt::format("features.{}.0", end), fmt::format("features.{}.1", end), a.last, 1, 1, 1,
         Activation::relu6);
  return convs;
}

}  // namespace edgeprune
