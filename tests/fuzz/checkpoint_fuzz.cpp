// Our own checkpoints: tensors, dense or sparse, and what the metadata says of the model.

#include "models/checkpoint.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    const Checkpoint checkpoint = load_checkpoint(path, {.quantized = true});
    if (checkpoint.info.pruned_by().empty() && checkpoint.info.history.empty()) std::abort();
  });
}
