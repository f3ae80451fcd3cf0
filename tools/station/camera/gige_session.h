#pragma once
// One connection to a camera: from when it is found until it is lost.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "tools/station/camera/aravis.h"
#include "tools/station/camera/gige_camera.h"

namespace edgeprune::station {

/// Not for two threads at once. A trigger gives one image, so after a whole image nothing is on its way; after
/// a failure something may be (packets are asked for again for 0.1 s), and before the next trigger the camera gets a
/// new stream, on another port: what arrives there is of that trigger.
class GigeSession {
 public:
  /// Finds the camera, sets it up, begins to acquire, and takes an image for nobody. Throws FileError.
  explicit GigeSession(const GigeOptions& options);
  ~GigeSession();
  GigeSession(const GigeSession&) = delete;
  GigeSession& operator=(const GigeSession&) = delete;

  /// Triggers and waits for the image; adds to the counts what went wrong. Throws FileError if the camera does not
  /// answer: the session is at its end.
  std::optional<Frame> take(Instant deadline, CameraCounts& counts);
  /// Whether the camera said that it lets go of us, or stopped answering.
  bool lost() const { return lost_; }

 private:
  void set_up(const GigeOptions& options);
  void start();
  void start_anew();
  std::optional<Frame> frame_of(ArvBuffer* buffer, CameraCounts& counts);

  std::string name_;
  PixelFormat format_;
  Owned<ArvCamera> camera_;
  Owned<ArvStream> stream_;
  std::atomic<bool> lost_ = false;
  bool suspect_ = false;          ///< an image of an earlier trigger may be on its way
  std::optional<uint64_t> last_;  ///< the number of the last image since the acquisition began
};

}  // namespace edgeprune::station
