// PyTorch's checkpoints in the zip container. An input that is a zip archive is read as it is; any
// other is taken for the pickle in one, whose checksums are right: mutation alone would hardly ever
// get past those.

#include "models/pth/pth_reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/models/pth/pth_bytes.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(fuzz::text_of(data, size));
  if (!file.starts_with("PK")) {
    file = testing::zip_file({{"model/data.pkl", file}, {"model/data/0", std::string(24, '\1')}});
  }
  return fuzz::feed(reinterpret_cast<const uint8_t*>(file.data()), file.size(),
                    [](const std::string& path) {
                      if (read_pth(path).arrays.empty()) read_pth(path, "a.b");
                    });
}
