#pragma once
// What of an image changes when a lamp ages, a lens gets dirty or a camera is knocked.

#include <array>
#include <vector>

#include "data/image.h"
#include "engine/base/names.h"

namespace edgeprune::station {

enum class Feature { luminance, sharpness, noise, confidence };
inline constexpr Named<Feature> kFeatures[] = {
    {Feature::luminance, "luminance", "mean of Rec. 601's luma, 0 to 1"},
    {Feature::sharpness, "sharpness", "standard deviation of the Laplacian over that of the luma"},
    {Feature::noise, "noise", "standard deviation, by Immerkaer 1996"},
    {Feature::confidence, "confidence", "the likeliest class's calibrated probability"}};
static_assert(in_order(kFeatures));

/// By feature.
using Features = std::array<float, std::size(kFeatures)>;

/// Of the image alone; `confidence` is the caller's. Images of less than 3x3 pixels have no sharpness and noise: 0.
Features features_of(const Image& image, float confidence);

/// The side of thumbnails, in which shifts are looked for.
inline constexpr int kThumbnail = 64;
/// The luma [64,64], each the mean of the pixels that it covers, or the pixel that covers it.
std::vector<float> thumbnail(const Image& image);

/// How far the content of `image` lies from where it is in `reference`, both [64,64], in pixels of these: by phase correlation
/// (Kuglin and Hines 1975), with a Hann window, as edges that wrap around would win otherwise.
struct Shift {
  int right = 0, down = 0;  ///< -32 to 31
  double peak = 0;          ///< of the correlation: 1 for a pure shift, 0 for unrelated content
};
Shift shift_between(const std::vector<float>& reference, const std::vector<float>& image);

}  // namespace edgeprune::station
