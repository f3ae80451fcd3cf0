#pragma once
// What stb_image does not look at in a JPEG, or not carefully enough: its marker segments.

#include <span>
#include <string>
#include <vector>

namespace edgeprune {

/// Throws FileError on what stb_image must not see: a Huffman table of more codes than it has room
/// for, or more scans than anybody needs.
void check_jpeg(std::span<const char> file, const std::string& path);

/// EXIF's orientation, from 1 to 8: 1, as it lies, if the file says nothing or nonsense.
int jpeg_orientation(std::span<const char> file);
/// The same of EXIF that lies by itself, as in a WebP.
int exif_orientation(std::span<const char> exif);

/// Puts Adobe's marker into a JPEG of four components that has none: they are then CMYK, inverted, as
/// everybody writes it and PIL reads it, where stb_image would take them for YCbCr and transparency.
void mark_cmyk(std::vector<char>& file);

}  // namespace edgeprune
