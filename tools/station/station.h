#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tools/station/bundle_source.h"
#include "tools/station/config/config.h"
#include "tools/station/deployment/deployment.h"
#include "tools/station/health/snapshot.h"
#include "tools/station/journal/journal.h"
#include "tools/station/pipeline/pipeline.h"

namespace edgeprune::station {

/// All parts of a station, as a configuration asks for them.
class Station {
 public:
  /// Reads the models and finds the camera, for which it waits for ten seconds. Throws FileError or
  /// std::invalid_argument, naming what does not fit. `say`: remarks, from any thread.
  Station(const StationConfig& config, std::function<void(const std::string&)> say);
  ~Station();

  /// Judges items until `stop()` or until `items` have been judged (0: no end).
  void run(const std::function<bool()>& stop, uint64_t items = 0);

  Snapshot snapshot() const;

 private:
  void keep(Record record, std::shared_ptr<const Image> image);
  /// Shows items, compares models and watches for drift, behind the items' own way.
  void look_at_items(const std::stop_token& stop);
  void deploy(const Seen& seen);
  void watch_for_drift(const Seen& seen);
  void watch_for_bundles(const std::stop_token& stop);
  /// In the audit log; what hinders that on stderr.
  void note(const char* about, const std::string& what);
  /// On stderr and in the audit log.
  void tell(const char* about, const std::string& what);

  const StationConfig config_;
  const std::function<void(const std::string&)> say_;
  const Instant started_ = Clock::now();
  std::vector<std::string> classes_;
  std::optional<BundleSource> source_;     ///< if the first model is of a bundle
  std::shared_ptr<Judge> judge_, second_;  ///< that the station began with
  std::unique_ptr<Camera> camera_;
  std::unique_ptr<Plc> plc_;
  std::optional<Journal> journal_;

  std::optional<Deployment> deployment_;  ///< of the thread that looks at items
  int64_t candidate_ = 0;                 ///< likewise: the newcomer's counter

  mutable std::mutex drift_mutex_;
  std::optional<DriftMonitor> drift_;

  mutable std::mutex mutex_;  ///< of the following
  std::condition_variable_any changed_;
  std::deque<Seen> kept_;  ///< not looked at yet
  std::deque<Seen> last_;  ///< the newest first
  uint64_t seen_ = 0;
  std::string drift_alarm_;
  std::optional<BundleSource::Newcomer> newcomer_;
  struct {
    Phase phase = Phase::settled;
    int64_t items = 0, disagreements = 0;
    std::string active;
  } deployed_;

  std::unique_ptr<Pipeline> pipeline_;
  std::jthread watches_;
  std::jthread looks_;  ///< last, as its thread and the pipeline's use the above
};

}  // namespace edgeprune::station
