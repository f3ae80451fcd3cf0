#pragma once
// Golden images: binary portable pixmaps (P6), which any viewer shows, and of which there is one form for the same pixels.

#include <string>
#include <string_view>

#include "data/image.h"

namespace edgeprune::station {

std::string pixmap_of(const Image& image);
/// Throws FileError("source: ...") on anything that pixmap_of() would not have written.
Image parse_pixmap(std::string_view bytes, const std::string& source);

}  // namespace edgeprune::station
