#include "tools/station/camera/fake_camera.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "tools/station/camera/aravis.h"

namespace edgeprune::station {

namespace {

/// How often in a second the camera looks for triggers. It spins through what is left of a period below a
/// millisecond: this takes half a core while images are acquired, and a trigger waits for 2 ms at most.
constexpr double kTriggerFrequency = 500;
constexpr uint16_t kControlPort = 3956;

/// Aravis shares the port with whoever has it already, and of two cameras either answers.
bool is_taken(uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  const bool taken =
      ::bind(socket, reinterpret_cast<sockaddr*>(&any), sizeof(any)) != 0 && errno == EADDRINUSE;
  ::close(socket);
  return taken;
}

}  // namespace

struct FakeCamera::Inside {
  std::vector<Image> images;
  std::atomic<uint64_t> sent = 0;
  Owned<ArvGvFakeCamera> camera;  // last: its threads use the above

  void fill(ArvBuffer* buffer, ArvPixelFormat format) {
    const Image& image = images[sent++ % images.size()];
    auto* to = static_cast<uint8_t*>(const_cast<void*>(arv_buffer_get_data(buffer, nullptr)));
    const int height = arv_buffer_get_image_height(buffer),
              width = arv_buffer_get_image_width(buffer);
    const int step = format == ARV_PIXEL_FORMAT_RGB_8_PACKED ? 3 : 1;
    for (int y = 0; y < height; ++y) {
      const uint8_t* row =
          image.rgb.data() + size_t{3} * (int64_t{y} * image.height / height) * image.width;
      for (int x = 0; x < width; ++x, to += step) {
        const uint8_t* from = row + 3 * (int64_t{x} * image.width / width);
        for (int c = 0; c < step; ++c)
          to[c] = from[step == 3 ? c : 1];  // grey: green, the most of luminance
      }
    }
  }
};

FakeCamera::FakeCamera(const std::string& interface, const std::string& serial,
                       std::vector<Image> images)
    : inside_(std::make_unique<Inside>()) {
  require(!images.empty(), "fake camera", "expected images, got none");
  inside_->images = std::move(images);
  require_file(!is_taken(kControlPort), "fake camera on " + interface,
               "there is a camera on this machine already");
  inside_->camera.reset(arv_gv_fake_camera_new(interface.c_str(), serial.c_str()));
  require_file(inside_->camera != nullptr && arv_gv_fake_camera_is_running(inside_->camera.get()),
               "fake camera on " + interface,
               "cannot listen: there is no such interface or address");
  ArvFakeCamera* camera = arv_gv_fake_camera_get_fake_camera(inside_->camera.get());
  arv_fake_camera_set_trigger_frequency(camera, kTriggerFrequency);
  arv_fake_camera_set_fill_pattern(
      camera,
      [](ArvBuffer* buffer, void* inside, guint32, guint32, ArvPixelFormat format) {
        static_cast<Inside*>(inside)->fill(buffer, format);
      },
      inside_.get());
}

FakeCamera::~FakeCamera() = default;

void FakeCamera::lose_packets(double per_thousand) {
  g_object_set(inside_->camera.get(), "gvsp-lost-ratio", per_thousand / 1000, nullptr);
}

uint64_t FakeCamera::sent() const {
  return inside_->sent;
}

}  // namespace edgeprune::station
