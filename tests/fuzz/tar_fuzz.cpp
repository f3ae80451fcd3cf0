// Archives that CIFAR comes in, gzipped or not.

#include "data/tar.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    const std::set<std::string> wanted{"a/names", "a/pixels"};
    for (const auto& [name, content] : read_tar(path, wanted)) {
      if (!wanted.contains(name)) std::abort();
    }
  });
}
