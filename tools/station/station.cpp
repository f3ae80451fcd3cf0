#include "tools/station/station.h"

#include <fmt/format.h>

#include <utility>

#include "engine/base/file.h"
#include "tools/station/bundle/bundle.h"
#include "tools/station/bundle/counters.h"
#include "tools/station/camera/folder_camera.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

constexpr auto kFindCamera = 10s;
constexpr size_t kShown = 24;
/// Items that may wait to be looked at; more are judged and answered all the same.
constexpr size_t kWaiting = 64;

std::string text_of(const std::string& path) {
  const std::vector<char> text = read_file(path);
  return {text.begin(), text.end()};
}

/// Verified, of a counter that is not lower than any before, and with its golden logits on this CPU.
Bundle bundle_of(const ModelConfig& config) {
  Counters counters = read_counters(config.counters);
  Acceptance acceptance;
  acceptance.root_key = config.root_key;
  acceptance.product = config.product;
  if (counters.contains(config.product))
    acceptance.accepted_counter = counters[config.product] - 1;  // the active one opens again
  Bundle bundle = open_bundle(config.bundle, acceptance);
  check_golden(bundle, config.engine);
  counters[config.product] = bundle.manifest.counter;
  write_counters(config.counters, counters);
  return bundle;
}

std::shared_ptr<Judge> judge_of(const ModelConfig& config,
                                std::vector<std::string>* classes = nullptr) {
  const auto make = [&](const Checkpoint& checkpoint, Policy policy) {
    if (classes != nullptr) *classes = checkpoint.info.classes;
    return std::make_shared<Judge>(checkpoint, std::move(policy), config.engine, config.threads);
  };
  if (!config.bundle.empty()) {
    const Bundle bundle = bundle_of(config);
    return make(bundle.checkpoint, bundle.policy);
  }
  Wanted wanted;
  wanted.quantized = true;
  return make(load_checkpoint(config.model, wanted),
              parse_policy(text_of(config.policy), config.policy));
}

std::unique_ptr<Camera> camera_of(const CameraConfig& config) {
  if (config.gige) return open_gige_camera(*config.gige, kFindCamera);
  return open_folder_camera(config.folder);
}

}  // namespace

Station::Station(const StationConfig& config, std::function<void(const std::string&)> say)
    : config_(config), say_(std::move(say)), judge_(judge_of(config.first, &classes_)) {
  if (config.second) second_ = judge_of(*config.second);
  if (!config.drift.empty()) drift_.emplace(parse_reference(text_of(config.drift), config.drift));
  camera_ = camera_of(config.camera);
  plc_ = open_modbus_plc(config.plc);
  journal_.emplace(config.journal);
  journal_->audit().add(
      "station started", config.name,
      fmt::format("model {}, policy {}, engine {}", judge_->model(), judge_->policy().hash,
                  inference::to_string(config.first.engine)));
  PipelineOptions options;
  options.deadline = config.deadline;
  options.queue = static_cast<size_t>(config.queue);
  pipeline_ = std::make_unique<Pipeline>(*camera_, *plc_, judge_, options,
                                         [this](Record record, std::shared_ptr<const Image> image) {
                                           keep(std::move(record), std::move(image));
                                         });
  if (second_) pipeline_->set_second(second_);
  looks_ = std::jthread([this](const std::stop_token& stop) { look_at_items(stop); });
  plc_->set_state(State::ready);
}

Station::~Station() {
  plc_->set_state(State::halted);
  pipeline_.reset();
  journal_->audit().add("station stopped", config_.name, "");
}

void Station::run(const std::function<bool()>& stop, uint64_t items) {
  pipeline_->run([&] { return stop() || (items > 0 && pipeline_->totals().items >= items); });
}

void Station::keep(Record record, std::shared_ptr<const Image> image) {
  journal_->append(record, image);
  const std::scoped_lock lock(mutex_);
  Seen seen{seen_++, std::move(record), std::move(image)};
  if (kept_.size() < kWaiting) kept_.push_back(std::move(seen));
  changed_.notify_all();
}

void Station::look_at_items(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return !kept_.empty(); })) {
    const Seen seen = std::move(kept_.front());
    kept_.pop_front();
    last_.push_front(seen);
    if (last_.size() > kShown) last_.pop_back();
    if (!drift_ || !seen.image || seen.record.decision.label < 0) continue;
    lock.unlock();
    std::optional<std::string> alarm;
    {
      const std::scoped_lock of_drift(drift_mutex_);
      alarm = drift_->add(*seen.image, seen.record.decision.confidence);
    }
    lock.lock();
    if (!alarm) continue;
    drift_alarm_ =
        fmt::format("item {}.{}: {}", seen.record.id.epoch, seen.record.id.trigger, *alarm);
    say_("drift: " + drift_alarm_);
  }
}

Snapshot Station::snapshot() const {
  Snapshot s;
  s.name = config_.name;
  s.engine = inference::to_string(config_.first.engine);
  s.model = judge_->model();
  s.classes = classes_;
  s.uptime_seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  s.deadline_ms = std::chrono::duration<double, std::milli>(config_.deadline).count();
  s.camera_connected = camera_->connected();
  s.camera = camera_->counts();
  s.plc_connected = plc_->connected();
  s.plc = plc_->counts();
  s.journal = journal_->counts();
  s.state = pipeline_->state();
  s.queue = pipeline_->waiting();
  s.totals = pipeline_->totals();
  if (drift_) {
    const std::scoped_lock of_drift(drift_mutex_);
    s.drift = drift_->state();
  }
  const std::scoped_lock lock(mutex_);
  s.last.assign(last_.begin(), last_.end());
  s.drift_alarm = drift_alarm_;
  return s;
}

}  // namespace edgeprune::station
