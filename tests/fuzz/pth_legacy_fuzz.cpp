// PyTorch's checkpoints in the container they had before PyTorch 1.6.

#include "models/pth/pth_reader.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    if (read_pth(path).arrays.empty()) read_pth(path, "a.b");
  });
}
