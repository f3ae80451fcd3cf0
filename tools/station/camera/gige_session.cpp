#include "tools/station/camera/gige_session.h"

#include <algorithm>
#include <array>
#include <utility>

namespace edgeprune::station {
namespace {

constexpr int kBuffers = 4;
constexpr auto kFirstImage = std::chrono::seconds(1);

/// The names that cameras know a format by: the newer one, and that of GenICam's first version.
std::array<const char*, 2> spellings(PixelFormat format) {
  switch (format) {
    case PixelFormat::rgb8:
      return {"RGB8", "RGB8Packed"};
    case PixelFormat::bgr8:
      return {"BGR8", "BGR8Packed"};
    default:
      return {name_of(kPixelFormats, format), name_of(kPixelFormats, format)};
  }
}

guint64 microseconds_until(Instant deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()).count();
  return static_cast<guint64>(std::max<int64_t>(left, 0));
}

}  // namespace

GigeSession::GigeSession(const GigeOptions& options)
    : name_(options.name.empty() ? "(any)" : options.name), format_(options.format) {
  camera_.reset(checked(name_, "not found", arv_camera_new,
                        options.name.empty() ? nullptr : options.name.c_str()));
  require_file(camera_ != nullptr, "camera " + name_, "not found");
  set_up(options);
  g_signal_connect(arv_camera_get_device(camera_.get()), "control-lost",
                   G_CALLBACK(+[](ArvDevice*, std::atomic<bool>* lost) { *lost = true; }), &lost_);
  start();
  // The first image takes longer (Aravis' own fake camera: 100 ms), which no item should wait for.
  CameraCounts unused;
  take(Clock::now() + kFirstImage, unused);
}

GigeSession::~GigeSession() {
  g_signal_handlers_disconnect_by_data(arv_camera_get_device(camera_.get()), &lost_);
  arv_camera_stop_acquisition(camera_.get(), nullptr);  // nobody is left to hear that it failed
}

void GigeSession::set_up(const GigeOptions& options) {
  ArvCamera* camera = camera_.get();
  checked(name_, "cannot stop", arv_camera_stop_acquisition,
          camera);  // a killed station left it running
  const auto [name, older] = spellings(format_);
  GError* error = nullptr;
  arv_camera_set_pixel_format_from_string(camera, name, &error);
  if (error != nullptr) {
    g_clear_error(&error);
    checked(name_, fmt::format("no pixel format {}", name).c_str(),
            arv_camera_set_pixel_format_from_string, camera, older);
  }
  int x = 0, y = 0, width = 0, height = 0;
  checked(name_, "region", arv_camera_get_region, camera, &x, &y, &width, &height);
  if (options.width > 0) width = options.width;
  if (options.height > 0) height = options.height;
  checked(name_, "region", arv_camera_set_region, camera, x, y, width, height);
  int got_width = 0, got_height = 0;
  checked(name_, "region", arv_camera_get_region, camera, &x, &y, &got_width, &got_height);
  require_file(got_width == width && got_height == height, "camera " + name_,
               "expected a region of {}x{}, the camera gives {}x{}", width, height, got_width,
               got_height);
  if (options.exposure_us) {
    checked(name_, "exposure time", arv_camera_set_exposure_time, camera, *options.exposure_us);
  }
  require_file(checked(name_, "software trigger", arv_camera_is_software_trigger_supported, camera),
               "camera " + name_, "cannot be triggered by software");
  checked(name_, "trigger", arv_camera_set_trigger, camera, "Software");
  checked(name_, "acquisition mode", arv_camera_set_acquisition_mode, camera,
          ARV_ACQUISITION_MODE_CONTINUOUS);
}

void GigeSession::start() {
  // Aravis' packet sockets, which root gets, hand blocks of packets on after 5 ms.
  if (arv_camera_is_gv_device(camera_.get())) {
    arv_camera_gv_set_stream_options(camera_.get(), ARV_GV_STREAM_OPTION_PACKET_SOCKET_DISABLED);
  }
  stream_.reset(
      checked(name_, "cannot stream", arv_camera_create_stream, camera_.get(), nullptr, nullptr));
  const guint bytes = checked(name_, "payload", arv_camera_get_payload, camera_.get());
  for (int i = 0; i < kBuffers; ++i) {
    arv_stream_push_buffer(stream_.get(), arv_buffer_new_allocate(bytes));
  }
  checked(name_, "cannot acquire", arv_camera_start_acquisition, camera_.get());
  suspect_ = false;
  last_.reset();
}

void GigeSession::start_anew() {
  checked(name_, "cannot stop", arv_camera_stop_acquisition, camera_.get());
  stream_.reset();
  start();
}

std::optional<Frame> GigeSession::take(Instant deadline, CameraCounts& counts) {
  if (suspect_) start_anew();
  if (Clock::now() >= deadline) return std::nullopt;
  suspect_ = true;
  checked(name_, "trigger", arv_camera_software_trigger, camera_.get());
  ArvBuffer* buffer = arv_stream_timeout_pop_buffer(stream_.get(), microseconds_until(deadline));
  if (buffer == nullptr) return std::nullopt;
  auto frame = frame_of(buffer, counts);
  arv_stream_push_buffer(stream_.get(), buffer);
  if (frame) suspect_ = false;
  return frame;
}

std::optional<Frame> GigeSession::frame_of(ArvBuffer* buffer, CameraCounts& counts) {
  if (arv_buffer_get_status(buffer) != ARV_BUFFER_STATUS_SUCCESS) {
    ++counts.incomplete;
    return std::nullopt;
  }
  Frame frame;
  frame.number = arv_buffer_get_frame_id(buffer);
  frame.captured = Clock::now();
  if (last_ && frame.number <= *last_ &&
      *last_ - frame.number < 0x8000) {  // GigE Vision 1 counts in 16 bits
    ++counts.stale;
    return std::nullopt;
  }
  if (last_ && frame.number > *last_) counts.lost += frame.number - *last_ - 1;
  last_ = frame.number;
  size_t bytes = 0;
  const auto* data = static_cast<const uint8_t*>(arv_buffer_get_image_data(buffer, &bytes));
  try {
    frame.image = to_rgb(format_, arv_buffer_get_image_height(buffer),
                         arv_buffer_get_image_width(buffer), {data, bytes});
  } catch (const std::invalid_argument&) {  // fewer bytes than its header says
    ++counts.incomplete;
    return std::nullopt;
  }
  ++counts.frames;
  return frame;
}

}  // namespace edgeprune::station
