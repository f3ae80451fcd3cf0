#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/image.h"
#include "tools/station/camera/camera.h"
#include "tools/station/deployment/deployment.h"
#include "tools/station/drift/monitor.h"
#include "tools/station/journal/journal.h"
#include "tools/station/pipeline/totals.h"
#include "tools/station/plc/plc.h"

namespace edgeprune::station {

/// One of the last items, for the page.
struct Seen {
  uint64_t number = 0;  ///< of all items since the start: its image's name
  Record record;
  std::shared_ptr<const Image> image;  ///< null: there was none
};

/// How the station is, at one moment.
struct Snapshot {
  std::string name, engine, model;
  std::vector<std::string> classes;
  double uptime_seconds = 0, deadline_ms = 0;
  State state = State::preoperational;
  bool camera_connected = false, plc_connected = false;
  size_t queue = 0;  ///< images that wait for the network
  Totals totals;
  CameraCounts camera;
  PlcCounts plc;
  JournalCounts journal;
  Phase phase = Phase::settled;  ///< of a new model
  int64_t phase_items = 0, phase_disagreements = 0;
  std::vector<DriftState> drift;  ///< empty: nothing watches for it
  std::string drift_alarm;        ///< the last one; empty: there was none
  std::vector<Seen> last;         ///< the newest first

  /// Whether items can pass: both peers are there and the station is at work.
  bool healthy() const { return camera_connected && plc_connected && state == State::executing; }
};

}  // namespace edgeprune::station
