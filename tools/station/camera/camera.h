#pragma once
// Where images come from. A camera gives a whole, new image for each trigger or none at all: an old or
// broken one never stands for the item that is in front of it now.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "data/image.h"
#include "tools/station/item.h"

namespace edgeprune::station {

struct Frame {
  Image image;
  uint64_t number = 0;  ///< the camera's count of its images: a gap is an image that was lost
  Instant captured;     ///< when the whole of it was here
};

/// What became of a camera's images since it was opened.
struct CameraCounts {
  uint64_t frames = 0;      ///< whole and in time
  uint64_t incomplete = 0;  ///< parts were lost on the wire: thrown away
  uint64_t stale = 0;       ///< of an earlier trigger: thrown away
  uint64_t lost = 0;        ///< gaps in the camera's numbers
  uint64_t reconnects = 0;
};

class Camera {
 public:
  virtual ~Camera() = default;
  /// Takes one image: triggers, and waits for it until `deadline`. Nothing if none came whole and in
  /// time; the next call tries to find the camera again if it is gone, but never waits for longer.
  virtual std::optional<Frame> take(Instant deadline) = 0;
  virtual bool connected() const = 0;
  virtual CameraCounts counts() const = 0;
};

}  // namespace edgeprune::station
