#include "tools/station/station.h"

#include <fmt/format.h>

#include <utility>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/station/camera/folder_camera.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

constexpr auto kFindCamera = 10s;
constexpr auto kLookForBundles = 1s;
constexpr size_t kShown = 24;
/// Items that may wait to be looked at; more are judged and answered all the same.
constexpr size_t kWaiting = 64;

std::string text_of(const std::string& path) {
  const std::vector<char> text = read_file(path);
  return {text.begin(), text.end()};
}

std::shared_ptr<Judge> judge_of(const ModelConfig& config, std::vector<std::string>& classes) {
  Wanted wanted;
  wanted.quantized = true;
  const Checkpoint checkpoint = load_checkpoint(config.model, wanted);
  classes = checkpoint.info.classes;
  return std::make_shared<Judge>(checkpoint, parse_policy(text_of(config.policy), config.policy),
                                 config.engine, config.threads);
}

std::unique_ptr<Camera> camera_of(const CameraConfig& config) {
  if (config.gige) return open_gige_camera(*config.gige, kFindCamera);
  return open_folder_camera(config.folder);
}

}  // namespace

Station::Station(const StationConfig& config, std::function<void(const std::string&)> say)
    : config_(config), say_(std::move(say)) {
  if (config.first.bundle.empty()) {
    judge_ = judge_of(config.first, classes_);
  } else {
    source_.emplace(config.first, classes_);
    judge_ = source_->judge();
    if (!source_->remark().empty()) say_("model: " + source_->remark());
  }
  if (config.second) {
    std::vector<std::string> classes;
    second_ = config.second->bundle.empty() ? judge_of(*config.second, classes)
                                            : BundleSource(*config.second, classes).judge();
    require(classes == classes_, "station", "the second model has other classes than the first");
  }
  deployment_.emplace(judge_, config.deployment);
  if (!config.drift.empty()) drift_.emplace(parse_reference(text_of(config.drift), config.drift));
  camera_ = camera_of(config.camera);
  plc_ = open_modbus_plc(config.plc);
  journal_.emplace(config.journal);
  note("station", fmt::format("started: model {}, policy {}, engine {}", judge_->model(),
                              judge_->policy().hash, inference::to_string(config.first.engine)));
  PipelineOptions options;
  options.deadline = config.deadline;
  options.queue = static_cast<size_t>(config.queue);
  pipeline_ = std::make_unique<Pipeline>(*camera_, *plc_, judge_, options,
                                         [this](Record record, std::shared_ptr<const Image> image) {
                                           keep(std::move(record), std::move(image));
                                         });
  if (second_) pipeline_->set_second(second_);
  looks_ = std::jthread([this](const std::stop_token& stop) { look_at_items(stop); });
  if (source_)
    watches_ = std::jthread([this](const std::stop_token& stop) { watch_for_bundles(stop); });
  plc_->set_state(State::ready);
}

Station::~Station() {
  watches_ = {};
  plc_->set_state(State::halted);
  pipeline_.reset();
  note("station", "stopped");
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
    const auto newcomer = std::exchange(newcomer_, std::nullopt);
    if (newcomer) deployed_.phase = Phase::shadow;
    lock.unlock();
    if (newcomer) {
      candidate_ = newcomer->counter;
      deployment_->propose(newcomer->judge);
    }
    deploy(seen);
    watch_for_drift(seen);
    lock.lock();
    deployed_ = {deployment_->phase(), deployment_->items(), deployment_->disagreements(),
                 deployment_->active().model()};
  }
}

void Station::deploy(const Seen& seen) {
  const Phase before = deployment_->phase();
  const auto step = deployment_->look(seen.record, seen.image.get());
  if (step.activate) pipeline_->set_judge(step.activate);
  if (step.what.empty()) return;
  tell("model", step.what);
  try {
    if (deployment_->phase() == Phase::watched) {
      source_->activated(candidate_);
    } else if (before == Phase::watched && !step.activate) {
      source_->proved(candidate_);
    } else {
      source_->failed(candidate_);
    }
  } catch (const FileError&
               error) {  // the line goes on; started again, the station may run another model
    tell("model", error.what());
  }
}

void Station::watch_for_drift(const Seen& seen) {
  if (!drift_ || !seen.image || seen.record.decision.label < 0) return;
  std::optional<std::string> alarm;
  {
    const std::scoped_lock lock(drift_mutex_);
    alarm = drift_->add(*seen.image, seen.record.decision.confidence);
  }
  if (!alarm) return;
  const std::string what =
      fmt::format("item {}.{}: {}", seen.record.id.epoch, seen.record.id.trigger, *alarm);
  {
    const std::scoped_lock lock(mutex_);
    drift_alarm_ = what;
  }
  tell("drift", what);
}

void Station::watch_for_bundles(const std::stop_token& stop) {
  std::mutex nobody;
  std::condition_variable_any never;
  std::unique_lock waiting(nobody);
  while (!never.wait_for(waiting, stop, kLookForBundles, [&] { return stop.stop_requested(); })) {
    {
      // One at a time: the copy of a bundle on its way is kept until it has proved itself.
      const std::scoped_lock lock(mutex_);
      if (newcomer_ || deployed_.phase != Phase::settled) continue;
    }
    try {
      auto newcomer = source_->poll();
      if (!newcomer) continue;
      tell("model", fmt::format("bundle of counter {} verified, model {} in shadow",
                                newcomer->counter, newcomer->judge->model()));
      const std::scoped_lock lock(mutex_);
      newcomer_ = std::move(newcomer);
    } catch (const std::exception& error) {
      tell("model", fmt::format("bundle refused: {}", error.what()));
    }
  }
}

void Station::tell(const char* about, const std::string& what) {
  say_(fmt::format("{}: {}", about, what));
  note(about, what);
}

void Station::note(const char* about, const std::string& what) {
  try {
    journal_->audit().add(about, config_.name, what);
  } catch (const FileError& error) {  // a full disk: items go on
    say_(error.what());
  }
}

Snapshot Station::snapshot() const {
  Snapshot s;
  s.name = config_.name;
  s.engine = inference::to_string(config_.first.engine);
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
  s.model = deployed_.active.empty() ? judge_->model() : deployed_.active;
  s.phase = deployed_.phase;
  s.phase_items = deployed_.items;
  s.phase_disagreements = deployed_.disagreements;
  return s;
}

}  // namespace edgeprune::station
