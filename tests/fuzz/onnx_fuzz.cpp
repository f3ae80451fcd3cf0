// ONNX files: protocol buffers, and a graph whose nodes may say anything.

#include "models/onnx/import.h"
#include "models/onnx/read.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

namespace {

/// As if a file of that many bytes stood beside the model under every name it may ask for.
void read_with_any_file_beside(std::string_view bytes) {
  constexpr size_t kBytes = 4096;
  try {
    onnx::Model model = onnx::parse(bytes);
    onnx::read_external(model, [](const std::string& name) {
      if (name.find('/') != name.npos) std::abort();
      return std::vector<char>(kBytes, 'x');
    });
    onnx::to_archive(model);
  } catch (const std::invalid_argument&) {
  } catch (const FileError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  read_with_any_file_beside(fuzz::text_of(data, size));
  return fuzz::feed(data, size, [](const std::string& path) { onnx::import_onnx(path); });
}
