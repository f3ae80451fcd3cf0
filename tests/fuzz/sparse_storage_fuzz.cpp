// Weights stored sparse: what is restored is stored sparse again, and comes back bit for bit.

#include "engine/tensor/safetensors.h"
#include "models/sparse_storage.h"
#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    Archive archive = read_safetensors(path);
    try {
      archive = restore_dense(std::move(archive));
    } catch (const std::invalid_argument& error) {
      throw FileError(path + ": " + error.what());  // as load_checkpoint() does
    }
    std::vector<std::string> names;
    for (const auto& [name, array] : archive.arrays) {
      if (array.dtype == DType::f32 && !archive.arrays.contains(name + ".mask") &&
          !archive.arrays.contains(name + ".values")) {
        names.push_back(name);
      }
    }
    const Archive again = restore_dense(store_sparse(archive, names));
    for (const std::string& name : names) {
      if (again.at(name).bytes != archive.at(name).bytes) std::abort();
    }
  });
}
