// What is read can be written, and is then read as the same.

#include "engine/tensor/safetensors.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    const Archive archive = read_safetensors(path);
    if (safetensors_bytes(archive) <= 0) std::abort();
  });
}
