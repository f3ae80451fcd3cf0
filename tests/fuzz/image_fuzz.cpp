// JPEG, PNG, BMP, WebP and TIFF.

#include "data/image.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    const Image image = read_image(path);
    if (image.rgb.size() != size_t(image.width) * size_t(image.height) * 3) std::abort();
  });
}
