#include "tools/station/camera/gige_camera.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "tools/station/camera/gige_session.h"

namespace edgeprune::station {
namespace {

constexpr auto kBetweenAttempts = std::chrono::milliseconds(200);

class GigeCamera : public Camera {
 public:
  explicit GigeCamera(const GigeOptions& options)
      : options_(options), thread_([this](const std::stop_token& stop) { look_after(stop); }) {}

  /// Throws FileError, the last attempt's error, if the camera is not there in time.
  void wait_until_connected(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [&] { return connected_; });
    if (!connected_)
      throw FileError(error_.empty() ? "camera " + options_.name + ": does not answer" : error_);
  }

  std::optional<Frame> take(Instant deadline) override {
    std::unique_lock lock(mutex_);
    if (!connected_) return std::nullopt;
    const uint64_t request = ++wanted_;
    deadline_ = deadline;
    changed_.notify_all();
    changed_.wait_until(lock, deadline, [&] { return done_ >= request || !connected_; });
    return done_ == request ? std::exchange(frame_, std::nullopt) : std::nullopt;
  }

  bool connected() const override {
    const std::scoped_lock lock(mutex_);
    return connected_;
  }

  CameraCounts counts() const override {
    const std::scoped_lock lock(mutex_);
    return counts_;
  }

 private:
  void look_after(const std::stop_token& stop) {
    bool again = false;
    while (!stop.stop_requested()) {
      try {
        GigeSession session(options_);
        connect(again);
        again = true;
        serve(session, stop);
      } catch (const std::exception& error) {
        const std::scoped_lock lock(mutex_);
        error_ = error.what();
      }
      std::unique_lock lock(mutex_);
      connected_ = false;
      changed_.notify_all();
      changed_.wait_for(lock, stop, kBetweenAttempts, [] { return false; });
    }
  }

  void connect(bool again) {
    const std::scoped_lock lock(mutex_);
    connected_ = true;
    done_ = wanted_;  // who asked before is not answered any more
    if (again) ++counts_.reconnects;
    changed_.notify_all();
  }

  void serve(GigeSession& session, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested() && !session.lost()) {
      if (!changed_.wait_for(lock, stop, kBetweenAttempts, [&] { return done_ != wanted_; }))
        continue;
      const uint64_t request = wanted_;
      const Instant deadline = deadline_;
      CameraCounts counts = counts_;
      lock.unlock();
      auto frame = session.take(deadline, counts);
      lock.lock();
      counts_ = counts;
      if (wanted_ == request) frame_ = std::move(frame);
      done_ = request;
      changed_.notify_all();
    }
  }

  const GigeOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool connected_ = false;
  uint64_t wanted_ = 0, done_ = 0;  ///< requests, counted
  Instant deadline_;                ///< of the last request
  std::optional<Frame> frame_;      ///< what request `done_` got
  CameraCounts counts_;
  std::string error_;
  std::jthread thread_;  ///< last: it uses all of the above
};

}  // namespace

std::unique_ptr<Camera> open_gige_camera(const GigeOptions& options,
                                         std::chrono::milliseconds wait) {
  auto camera = std::make_unique<GigeCamera>(options);
  camera->wait_until_connected(wait);
  return camera;
}

}  // namespace edgeprune::station
