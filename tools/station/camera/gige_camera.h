#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/station/camera/camera.h"
#include "tools/station/camera/pixels.h"

namespace edgeprune::station {

struct GigeOptions {
  std::string
      name;  ///< the camera's address, or its vendor-model-serial as arv-tool lists it; empty: the first found
  PixelFormat format = PixelFormat::rgb8;
  int width = 0, height = 0;  ///< of the region that is read; 0: as the camera has it
  std::optional<double> exposure_us;
};

/// A GigE Vision (or USB3 Vision) camera through Aravis, triggered by software. It is looked after by a thread
/// of its own, which finds it, finds it again when it is gone, and alone waits for it: take() waits until its
/// deadline and no longer, whatever became of the camera.
///
/// Returns once the camera is there, or throws FileError after `wait`: no camera of that name, or one without
/// that pixel format, region, or software trigger.
std::unique_ptr<Camera> open_gige_camera(const GigeOptions& options,
                                         std::chrono::milliseconds wait);

}  // namespace edgeprune::station
