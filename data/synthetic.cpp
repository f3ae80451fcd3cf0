#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/check.h"
#include "engine/base/random.h"

namespace edgeprune {
namespace {

constexpr int kSyntheticSide = 32;

/// Draws a figure: how much of the foreground colour, from 0 to 1, there is at (u, v). Shapes fill
/// about [-1, 1]; stripes repeat with period 1.
struct Pattern {
  const char* name;
  float (*shade)(float u, float v);
};

float solid(bool inside) {
  return inside ? 1.0f : 0.0f;
}
float stripes(float u) {
  return solid(u - std::floor(u) < 0.5f);
}
float larger(float u, float v) {
  return std::max(std::abs(u), std::abs(v));
}
float smaller(float u, float v) {
  return std::min(std::abs(u), std::abs(v));
}

constexpr std::array<Pattern, 10> kPatterns{{
    {"disc", [](float u, float v) { return solid(u * u + v * v < 1.0f); }},
    {"ring",
     [](float u, float v) {
       const float squared = u * u + v * v;
       return solid(squared < 1.0f && squared > 0.36f);
     }},
    {"square", [](float u, float v) { return solid(larger(u, v) < 0.9f); }},
    {"triangle",
     [](float u, float v) { return solid(v < 0.8f && v > -1.0f + 1.8f * std::abs(u)); }},
    {"cross", [](float u, float v) { return solid(larger(u, v) < 1.0f && smaller(u, v) < 0.3f); }},
    {"horizontal stripes", [](float, float v) { return stripes(v); }},
    {"vertical stripes", [](float u, float) { return stripes(u); }},
    {"diagonal stripes", [](float u, float v) { return stripes(0.7f * (u + v)); }},
    {"checkerboard", [](float u, float v) { return std::abs(stripes(u) - stripes(v)); }},
    {"gradient", [](float u, float) { return std::clamp(0.5f + 0.3f * u, 0.0f, 1.0f); }},
}};

using Colour = std::array<float, 3>;

Colour random_colour(Rng& rng, float low, float high) {
  return {rng.uniform(low, high), rng.uniform(low, high), rng.uniform(low, high)};
}

Image draw(const Pattern& pattern, Rng rng) {
  Colour background = random_colour(rng, 0.0f, 110.0f);
  Colour foreground = random_colour(rng, 145.0f, 255.0f);
  if (rng.below(2) == 1) std::swap(background, foreground);
  const float centre_x = rng.uniform(12.0f, 20.0f), centre_y = rng.uniform(12.0f, 20.0f);
  const float radius = rng.uniform(7.0f, 12.0f);
  const float tilt = rng.uniform(-0.2f, 0.2f);  // radians: stripes keep their direction
  const float along = std::cos(tilt) / radius, across = std::sin(tilt) / radius;
  const float mirror = rng.below(2) == 1 ? -1.0f : 1.0f;

  Image image{kSyntheticSide, kSyntheticSide, {}};
  image.rgb.reserve(3 * kSyntheticSide * kSyntheticSide);
  for (int row = 0; row < kSyntheticSide; ++row) {
    for (int column = 0; column < kSyntheticSide; ++column) {
      const float x = mirror * (static_cast<float>(column) + 0.5f - centre_x);
      const float y = static_cast<float>(row) + 0.5f - centre_y;
      const float shade = pattern.shade(along * x - across * y, across * x + along * y);
      for (size_t c = 0; c < 3; ++c) {
        const float clean = background[c] + shade * (foreground[c] - background[c]);
        const float noisy = clean + rng.uniform(-25.0f, 25.0f);
        image.rgb.push_back(static_cast<uint8_t>(std::clamp(noisy, 0.0f, 255.0f)));
      }
    }
  }
  return image;
}

}  // namespace

Dataset synthetic(int64_t images, Split split, uint64_t seed) {
  require(images >= 1 && images <= kMostSyntheticImages, "synthetic",
          "between 1 and {} images can be drawn, got {}", kMostSyntheticImages, images);
  Dataset dataset;
  dataset.source = fmt::format("synthetic:{} ({})", images, to_string(split));
  for (const Pattern& pattern : kPatterns) dataset.classes.emplace_back(pattern.name);
  for (int64_t i = 0; i < images; ++i) {
    const auto label = static_cast<size_t>(i) % kPatterns.size();
    dataset.labels.push_back(static_cast<int>(label));
    dataset.images.push_back(
        draw(kPatterns[label], Rng(seed, split == Split::train ? 0 : 1, static_cast<uint64_t>(i))));
  }
  return dataset;
}

}  // namespace edgeprune
