#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/station/camera/camera.h"

namespace edgeprune::station {

/// The images of a folder and of those in it, in order of name, or those that a list names, a text file of one
/// a line. Throws FileError if there are none.
std::vector<std::string> images_of_camera(const std::string& folder_or_list);

/// A camera for tests and demos: each trigger takes the next of these images, and after the last the first again. An image
/// that cannot be read gives no frame and is counted as incomplete. Throws FileError if there is no image.
std::unique_ptr<Camera> open_folder_camera(const std::string& folder_or_list);

}  // namespace edgeprune::station
