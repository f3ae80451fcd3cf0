#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "tools/station/config/config.h"
#include "tools/station/health/snapshot.h"
#include "tools/station/pipeline/pipeline.h"

namespace edgeprune::station {

/// All parts of a station, as a configuration asks for them.
class Station {
 public:
  /// Reads the models, finds the camera. Throws FileError or std::invalid_argument, naming what does not fit.
  explicit Station(const StationConfig& config);
  ~Station();

  /// Judges items until `stop()` or until `items` have been judged (0: no end).
  void run(const std::function<bool()>& stop, uint64_t items = 0);

  Snapshot snapshot() const;

 private:
  void keep(Record record, std::shared_ptr<const Image> image);

  const StationConfig config_;
  const Instant started_ = Clock::now();
  std::shared_ptr<Judge> judge_;
  std::unique_ptr<Camera> camera_;
  std::unique_ptr<Plc> plc_;
  mutable std::mutex mutex_;  ///< of the two below
  std::deque<Seen> last_;
  uint64_t seen_ = 0;
  std::unique_ptr<Pipeline> pipeline_;  ///< last: its threads use the above
};

}  // namespace edgeprune::station
