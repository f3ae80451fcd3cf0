#pragma once
// From a camera's bytes to RGB.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "data/image.h"
#include "engine/base/names.h"

namespace edgeprune::station {

/// Of 8 bits, by the names of GenICam's Pixel Format Naming Convention.
enum class PixelFormat { rgb8, bgr8, mono8, bayer_rg8, bayer_gr8, bayer_gb8, bayer_bg8 };
inline constexpr Named<PixelFormat> kPixelFormats[] = {
    {PixelFormat::rgb8, "RGB8"},          {PixelFormat::bgr8, "BGR8"},
    {PixelFormat::mono8, "Mono8"},        {PixelFormat::bayer_rg8, "BayerRG8"},
    {PixelFormat::bayer_gr8, "BayerGR8"}, {PixelFormat::bayer_gb8, "BayerGB8"},
    {PixelFormat::bayer_bg8, "BayerBG8"}};
static_assert(in_order(kPixelFormats));

/// Bytes of a pixel: 3 or 1.
int bytes_of(PixelFormat format);

/// pixels [height, width, bytes_of(format)] to RGB; grey has all three alike, Bayer's missing colours are the mean
/// of the nearest pixels that have them (bilinear). Throws std::invalid_argument if there are fewer bytes, or if
/// a Bayer image has less than two rows and columns.
Image to_rgb(PixelFormat format, int height, int width, std::span<const uint8_t> pixels);

}  // namespace edgeprune::station
