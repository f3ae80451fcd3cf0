#include "engine/inference/band_step.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "engine/base/parallel.h"
#include "engine/base/timer.h"
#include "engine/kernels/panels/depthwise.h"

namespace edgeprune::inference {
namespace {

/// Of the wide map that a thread has at a time: half a megabyte, as much as the second-level caches
/// of small cores have. A map that fits as a whole runs layer by layer.
constexpr int64_t kBandFloats = 1 << 17;

constexpr int64_t kMostPanels = 64;  ///< of the output, in a band

/// The wide input of a depthwise layer, as many of its columns as a band wants: a window that moves
/// down the map.
class Window {
 public:
  Window(float* planes, int64_t channels, int64_t plane, const PanelLayout& map)
      : planes_(planes), channels_(channels), plane_(plane), map_(map) {}

  /// Makes it hold these columns, among them what is above and below the map: zeros.
  /// make(first panel, last panel, where to) computes what is missing.
  template <typename Make>
  void move(const panels::InputColumns& wanted, const Make& make) {
    const int64_t width = map_.width();
    const int64_t begin = floor(wanted.begin, kLine), end = std::min(wanted.end, map_.columns);
    if (filled_ <= begin) {  // the first of a thread's bands
      first_ = begin < 0 ? begin : floor(begin, width);
      filled_ = std::max<int64_t>(first_, 0);
      for_each_plane([&](float* plane) { std::fill_n(plane, filled_ - first_, 0.0f); });
    } else {
      for_each_plane([&](float* plane) {
        std::memmove(plane, plane + (begin - first_),
                     static_cast<size_t>(filled_ - begin) * sizeof(float));
      });
      first_ = begin;
    }
    if (filled_ < end) {
      const int64_t panel = filled_ / width, last = (end + width - 1) / width;
      make(panel, last, PanelTarget{planes_ + (filled_ - first_), width, plane_});
      filled_ = last * width;
    }
    if (wanted.end > map_.columns) {
      for_each_plane([&](float* plane) {
        std::fill(plane + (map_.columns - first_), plane + (wanted.end - first_), 0.0f);
      });
    }
  }
  panels::DepthwisePlanes planes() const { return {planes_, plane_, first_}; }

  /// Floats that a plane needs for that many columns at a time, an odd number of cache lines: planes
  /// a power of two apart would share the same few places of the first-level cache.
  static int64_t plane_size(int64_t columns) {
    const int64_t most = columns + 2 * PanelLayout::kWidth + panels::kDepthwiseOverhang;
    return (most / kLine | 1) * kLine;
  }

 private:
  static constexpr int64_t kLine = 16;
  static int64_t floor(int64_t column, int64_t unit) {
    return (column >= 0 ? column : column - unit + 1) / unit * unit;
  }
  template <typename Body>
  void for_each_plane(const Body& body) const {
    for (int64_t c = 0; c < channels_; ++c) body(planes_ + c * plane_);
  }

  float* planes_;
  int64_t channels_, plane_;
  PanelLayout map_;
  int64_t first_ = 0, filled_ = INT64_MIN;  ///< columns that are there
};

class Band : public FloatStep {
 public:
  Band(std::unique_ptr<PanelStep> widen, const Layer& layer, std::unique_ptr<PointwiseStep> narrow,
       int64_t images)
      : widen_(std::move(widen)),
        depthwise_(depthwise_step(layer, images)),
        narrow_(std::move(narrow)),
        wide_(input_panels(depthwise_->shape())),
        out_(output_panels(depthwise_->shape())) {
    const Conv2dShape& shape = depthwise_->shape();
    const auto columns_of_bands = [&] {
      int64_t most = 0;
      for (int64_t p = 0; p + panels_ <= out_.count(); ++p) {
        const auto [begin, end] = panels::depthwise_inputs(shape, p, p + panels_);
        most = std::max(most, end - begin);
      }
      return most;
    };
    for (panels_ = std::min(out_.count(), kMostPanels);; --panels_) {
      plane_ = Window::plane_size(columns_of_bands());
      if (panels_ == 1 || plane_ * wide_.channels <= kBandFloats) break;
    }
    scratch_ = plane_ * wide_.channels + panels_ * out_.channels * out_.width() +
               panels::depthwise_planes_scratch_size(shape, panels_) + widen_->scratch_size();
    scratch_ = (scratch_ + 15) / 16 * 16;
  }

  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    run_floats_timed(input, residual, output, scratch, nullptr);
  }
  void run_floats_timed(const float* input, const float* residual, float* output, float* scratch,
                        double* seconds) override {
    std::mutex mutex;
    const int64_t count = out_.count();
    const int threads = static_cast<int>(std::min<int64_t>(thread_count(), count));
    parallel_for(count, 1, [&](int64_t begin, int64_t end, int part) {
      const ThreadScope one(1);
      std::array<double, 3> own{};
      run_panels(input, residual, output, scratch + part * scratch_, begin, end,
                 seconds == nullptr ? nullptr : own.data());
      if (seconds == nullptr) return;
      const std::lock_guard lock(mutex);
      for (size_t i = 0; i < own.size(); ++i) seconds[i] += own[i] / threads;
    });
  }
  int64_t output_size() const override { return narrow_->output_size(); }
  int64_t scratch_size() const override { return thread_count() * scratch_; }
  std::string kernel() const override { return "band"; }
  int parts() const override { return 3; }
  const Step& part(int i) const override {
    const Step* const all[] = {widen_.get(), depthwise_.get(), narrow_.get()};
    return *all[i];
  }

 private:
  /// Panels [begin, end) of the output, in bands of even size.
  void run_panels(const float* input, const float* residual, float* output, float* scratch,
                  int64_t begin, int64_t end, double* seconds) const {
    const PanelLayout result = narrow_->output();
    const PanelTarget target = result.target(output);
    Window window(scratch, wide_.channels, plane_, wide_);
    float* narrow_input = scratch + plane_ * wide_.channels;
    float* rest = narrow_input + panels_ * out_.channels * out_.width();
    const int64_t bands = (end - begin + panels_ - 1) / panels_;
    for (int64_t band = 0; band < bands; ++band) {
      const int64_t first = begin + (end - begin) * band / bands;
      const int64_t last = begin + (end - begin) * (band + 1) / bands;
      const Stopwatch watch;
      window.move(panels::depthwise_inputs(depthwise_->shape(), first, last),
                  [&](int64_t from, int64_t to, const PanelTarget& planes) {
                    widen_->run_panels(input, nullptr, from, to, planes, rest);
                  });
      const double widened = seconds == nullptr ? 0 : watch.seconds();
      depthwise_->run_planes(window.planes(), first, last, rest, narrow_input);
      const double convolved = seconds == nullptr ? 0 : watch.seconds();
      narrow_->run_band(narrow_input, residual, first, last,
                        {target.at(first, 0), target.panel, target.channel});
      if (seconds == nullptr) continue;
      seconds[0] += widened;
      seconds[1] += convolved - widened;
      seconds[2] += watch.seconds() - convolved;
    }
  }

  std::unique_ptr<PanelStep> widen_;
  std::unique_ptr<DepthwiseStep> depthwise_;
  std::unique_ptr<PointwiseStep> narrow_;
  PanelLayout wide_, out_;
  int64_t panels_ = 1, plane_ = 0, scratch_ = 0;  ///< of a band's output; floats
};

}  // namespace

bool band_pays(const Conv2dShape& depthwise, int64_t images) {
  constexpr int64_t kPanels = 4;  // a thread, of the output
  return images == 1 && depthwise.input_count() > kBandFloats &&
         output_panels(depthwise).count() >= kPanels * thread_count();
}

std::unique_ptr<FloatStep> band_step(std::unique_ptr<PanelStep> widen, const Layer& depthwise,
                                     std::unique_ptr<PointwiseStep> narrow, int64_t images) {
  return std::make_unique<Band>(std::move(widen), depthwise, std::move(narrow), images);
}

}  // namespace edgeprune::inference
