#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/station/camera/camera.h"

namespace edgeprune::station {

/// A camera for tests and demos: each trigger takes the next image of a folder and of those in it, in order
/// of name, and after the last the first again; or of a list, a text file of one name a line. An image that cannot be
/// read gives no frame and is counted as incomplete. Throws FileError if there is no image.
std::unique_ptr<Camera> open_folder_camera(const std::string& folder_or_list);

}  // namespace edgeprune::station
