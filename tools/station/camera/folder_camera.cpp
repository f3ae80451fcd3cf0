#include "tools/station/camera/folder_camera.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <utility>
#include <vector>

#include "data/image_folder.h"
#include "engine/base/check.h"

namespace edgeprune::station {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> images_of_folder(const std::string& folder) {
  std::vector<std::string> images;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (entry.is_regular_file() && has_image_extension(path)) images.push_back(path);
  }
  std::sort(images.begin(), images.end());
  return images;
}

std::vector<std::string> lines_of(const std::string& list) {
  std::ifstream file(list);
  require_file(file.good(), list, "there is no such folder or list of images");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

class FolderCamera : public Camera {
 public:
  explicit FolderCamera(std::vector<std::string> images) : images_(std::move(images)) {}

  std::optional<Frame> take(Instant deadline) override {
    const std::scoped_lock lock(mutex_);
    Frame frame;
    frame.number = number_++;
    try {
      frame.image = read_image(images_[frame.number % images_.size()]);
    } catch (const FileError&) {
      ++counts_.incomplete;
      return std::nullopt;
    }
    frame.captured = Clock::now();
    if (frame.captured > deadline) {
      ++counts_.stale;
      return std::nullopt;
    }
    ++counts_.frames;
    return frame;
  }

  bool connected() const override { return true; }

  CameraCounts counts() const override {
    const std::scoped_lock lock(mutex_);
    return counts_;
  }

 private:
  const std::vector<std::string> images_;
  mutable std::mutex mutex_;
  uint64_t number_ = 0;
  CameraCounts counts_;
};

}  // namespace

std::vector<std::string> images_of_camera(const std::string& folder_or_list) {
  auto images = fs::is_directory(folder_or_list) ? images_of_folder(folder_or_list)
                                                 : lines_of(folder_or_list);
  require_file(!images.empty(), folder_or_list, "the camera has no images there");
  return images;
}

std::unique_ptr<Camera> open_folder_camera(const std::string& folder_or_list) {
  return std::make_unique<FolderCamera>(images_of_camera(folder_or_list));
}

}  // namespace edgeprune::station
