#pragma once
// Palettes of PNG and BMP images, which stb_image applies without a look at how many colours there are: what
// lies behind the last one in its memory would be a colour, too.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edgeprune {

using Palette = std::vector<std::array<uint8_t, 3>>;

/// Puts into an image file the palette of 256 greys in place of its own, which is returned, so that
/// its pixels are decoded to their numbers in it; does nothing, and returns nothing, to a file without
/// a palette, or with one that the decoder refuses. Throws FileError on a palette of more colours
/// than pixels can name, or on several.
Palette take_palette(std::vector<char>& file, const std::string& path);

/// Turns such numbers, each there three times, into the palette's colours. Throws FileError if there is
/// no such colour.
void apply_palette(std::span<uint8_t> rgb, const Palette& palette, const std::string& path);

}  // namespace edgeprune
