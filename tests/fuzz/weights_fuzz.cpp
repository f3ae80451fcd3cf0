// Weights that others wrote: prefixes, types, masks, names of other libraries. What comes out has our types.

#include "models/weights_file.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    const WeightsFile file = read_weights(path);
    for (const auto& [name, array] : file.archive.arrays) {
      if (array.dtype != array.to_f32().dtype) std::abort();
    }
  });
}
