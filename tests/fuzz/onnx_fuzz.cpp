// ONNX files: protocol buffers, and a graph whose nodes may say anything.

#include "models/onnx/import.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) { onnx::import_onnx(path); });
}
