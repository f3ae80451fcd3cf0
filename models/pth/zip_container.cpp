#include <zip.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "engine/base/printable.h"
#include "models/pth/container.h"

namespace edgeprune {
namespace {

constexpr std::string_view kLocalHeader = "PK\x03\x04";

/// A zip archive, opened for reading.
class ZipArchive {
 public:
  explicit ZipArchive(const std::string& path)
      : path_(path), size_(std::filesystem::file_size(path)) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_file_create(path.c_str(), 0, -1, &error);
    if (source != nullptr) archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
    if (archive_ == nullptr) zip_source_free(source);  // else the archive owns it
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    require_file(archive_ != nullptr, path, "bad zip archive, truncated perhaps: {}", reason);
  }

  uint64_t size() const { return size_; }

  /// The folder that holds everything; torch names it after the file.
  std::string folder() const {
    const char* first = zip_get_name(archive_.get(), 0, 0);
    require_file(first != nullptr, path_, "the zip archive is empty");
    const std::string_view name(first);
    const size_t slash = name.find('/');
    require_file(slash != name.npos, path_, "'{}' in the zip archive is in no folder",
                 printable(name));
    return std::string(name.substr(0, slash + 1));
  }

  bool has(const std::string& name) const {
    return zip_name_locate(archive_.get(), name.c_str(), 0) >= 0;
  }

  std::vector<std::byte> read(const std::string& name) const {
    zip_stat_t info;
    require_file(zip_stat(archive_.get(), name.c_str(), 0, &info) == 0, path_,
                 "the zip archive has no '{}'", printable(name));
    require_file(info.comp_method == ZIP_CM_STORE && info.encryption_method == ZIP_EM_NONE, path_,
                 "'{}' is compressed or encrypted, which torch.save never does", printable(name));
    require_file(info.size <= size_, path_, "'{}' claims {} bytes in a file of {}", printable(name),
                 info.size, size_);
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> entry(
        zip_fopen(archive_.get(), name.c_str(), 0), zip_fclose);
    std::vector<std::byte> bytes(info.size);
    // libzip compares the checksum only when it is asked to read beyond the end.
    std::byte beyond;
    require_file(entry != nullptr &&
                     zip_fread(entry.get(), bytes.data(), bytes.size()) ==
                         static_cast<zip_int64_t>(bytes.size()) &&
                     zip_fread(entry.get(), &beyond, 1) == 0,
                 path_, "'{}' in the zip archive is truncated or damaged", printable(name));
    return bytes;
  }

 private:
  std::string path_;
  uint64_t size_;  // of the file
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_{nullptr, zip_discard};
};

void check_byte_order(const ZipArchive& archive, const std::string& name, const std::string& path) {
  if (!archive.has(name)) return;
  const std::vector<std::byte> order = archive.read(name);
  const std::string_view text(reinterpret_cast<const char*>(order.data()), order.size());
  require_file(text == "little", path, "byte order is '{}', expected 'little'", printable(text));
}

}  // namespace

bool is_zip_container(std::span<const std::byte> file) {
  return file.size() >= kLocalHeader.size() &&
         std::memcmp(file.data(), kLocalHeader.data(), kLocalHeader.size()) == 0;
}

PthContents read_zip_container(const std::string& path) {
  const auto archive = std::make_shared<ZipArchive>(path);
  const std::string folder = archive->folder();
  check_byte_order(*archive, folder + "byteorder", path);
  const std::vector<std::byte> pickled = archive->read(folder + "data.pkl");
  ByteCursor bytes(pickled, fmt::format("{}: data.pkl", path));
  // Entries may share bytes in a malicious archive, so that many large ones fit a small file.
  const auto read = [archive, folder, path,
                     left = archive->size()](const StorageRef& storage) mutable {
    std::vector<std::byte> data = archive->read(fmt::format("{}data/{}", folder, storage.key));
    require_file(data.size() == storage.bytes(), path, "storage '{}' has {} bytes, expected {}",
                 printable(storage.key), data.size(), storage.bytes());
    require_file(data.size() <= left, path, "storages are larger than the file");
    left -= data.size();
    return data;
  };
  return {pickle::unpickle(bytes), read};
}

}  // namespace edgeprune
