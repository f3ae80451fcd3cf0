// CIFAR-10's binary version. The input's first byte says how many of the bytes behind it are
// batches.meta.txt; the rest is the batch.

#include "data/cifar.h"

#include <filesystem>

#include "tests/fuzz/fuzz.h"

using namespace edgeprune;

namespace {

/// A folder of two files in memory, removed at the end.
class Folder {
 public:
  Folder() {
    std::filesystem::create_directory(path_);
    std::filesystem::create_symlink(batch.path(), path_ / "test_batch.bin");
    std::filesystem::create_symlink(names.path(), path_ / "batches.meta.txt");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }

  fuzz::MemoryFile batch, names;

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("edgeprune-fuzz-" + std::to_string(::getpid()));
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Folder folder;
  const std::string_view input = fuzz::text_of(data, size);
  const size_t name_bytes = size == 0 ? 0 : data[0];
  folder.names.set(input.substr(std::min<size_t>(1, size), name_bytes));
  folder.batch.set(input.substr(std::min(1 + name_bytes, size)));
  return fuzz::expect_read_or_refused(folder.path(), [] {
    const Dataset dataset = read_cifar(folder.path(), Split::test);
    if (dataset.images.size() != dataset.labels.size() || dataset.images.empty()) std::abort();
  });
}
