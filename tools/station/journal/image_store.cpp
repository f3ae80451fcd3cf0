#include "tools/station/journal/image_store.h"

#include <fmt/format.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/file.h"

namespace edgeprune::station {
namespace {

namespace fs = std::filesystem;

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int64_t written_seconds(const fs::path& path) {
  const auto when = std::chrono::file_clock::to_sys(fs::last_write_time(path)).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(when).count();
}

std::string png_of(const Image& image) {
  std::string png;
  stbi_write_png_to_func(
      [](void* to, void* data, int size) {
        static_cast<std::string*>(to)->append(static_cast<char*>(data), static_cast<size_t>(size));
      },
      &png, image.width, image.height, 3, image.rgb.data(), 3 * image.width);
  return png;
}

}  // namespace

ImageStore::ImageStore(const std::string& folder, const ImageQuota& quota,
                       std::function<void(const std::string&, const char*)> deleted)
    : folder_(folder), quota_(quota), deleted_(std::move(deleted)) {
  for (const auto& reason : kKepts) {
    const std::string name = folder + "/" + reason.name;
    make_folder(name);
    auto& stored = stored_[static_cast<size_t>(reason.value)];
    for (const auto& entry : fs::recursive_directory_iterator(name)) {
      if (entry.is_directory()) remove_abandoned(entry.path().string());
      if (entry.path().extension() != ".png") continue;
      const auto bytes = static_cast<int64_t>(entry.file_size());
      stored.push_back(
          {fs::relative(entry.path(), folder).string(), bytes, written_seconds(entry.path())});
      bytes_[static_cast<size_t>(reason.value)] += bytes;
    }
    std::sort(stored.begin(), stored.end(),
              [](const Stored& a, const Stored& b) { return a.name < b.name; });
  }
}

bool ImageStore::has_room(int64_t bytes) const {
  std::error_code error;
  const fs::space_info space = fs::space(folder_, error);
  return error || static_cast<int64_t>(space.available) >= bytes + quota_.free_bytes;
}

void ImageStore::remove_oldest(Kept reason, const char* why) {
  auto& stored = stored_[static_cast<size_t>(reason)];
  const Stored oldest = std::move(stored.front());
  stored.pop_front();
  bytes_[static_cast<size_t>(reason)] -= oldest.bytes;
  std::error_code ignored;  // somebody took it away already
  fs::remove(fs::path(folder_) / oldest.name, ignored);
  fs::remove((fs::path(folder_) / oldest.name).parent_path(), ignored);  // if that was its last
  deleted_(oldest.name, why);
}

void ImageStore::make_room(Kept reason, int64_t bytes) {
  auto& stored = stored_[static_cast<size_t>(reason)];
  while (!stored.empty() && bytes_[static_cast<size_t>(reason)] + bytes > quota_.bytes)
    remove_oldest(reason, "quota");
  // Samples are worth least, defects most.
  for (const Kept any : {Kept::sample, Kept::review, Kept::reject}) {
    while (!stored_[static_cast<size_t>(any)].empty() && !has_room(bytes))
      remove_oldest(any, "disk");
  }
}

void ImageStore::tidy() {
  for (const auto& any : kKepts) {
    auto& old = stored_[static_cast<size_t>(any.value)];
    while (!old.empty() && now_seconds() - old.front().seconds > quota_.seconds)
      remove_oldest(any.value, "age");
  }
  make_room(Kept::sample, 0);
}

std::string ImageStore::add(Kept reason, uint64_t sequence, const Image& image) {
  const std::string png = png_of(image);
  const auto bytes = static_cast<int64_t>(png.size());
  if (png.empty() || bytes > quota_.bytes) {  // or it would push out all others for nothing
    return "";
  }
  make_room(reason, bytes);
  // Numbers of as many digits: in order of name they are in order of time. A thousand files a folder, as each write looks
  // through its folder for what killed writers left.
  std::string name =
      fmt::format("{}/{:017}/{:020}.png", name_of(kKepts, reason), sequence / 1000, sequence);
  try {
    make_folder((fs::path(folder_) / name).parent_path().string());
    require_file(has_room(bytes), folder_, "no room for an image");
    write_file_atomically(folder_ + "/" + name, png);
  } catch (const FileError&) {
    return "";
  }
  stored_[static_cast<size_t>(reason)].push_back({name, bytes, now_seconds()});
  bytes_[static_cast<size_t>(reason)] += bytes;
  return name;
}

}  // namespace edgeprune::station
