#pragma once
// What station.json says: which model, camera and PLC, and how long an item may take.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/inference/engine.h"
#include "tools/station/camera/gige_camera.h"
#include "tools/station/deployment/deployment.h"
#include "tools/station/journal/journal.h"
#include "tools/station/plc/modbus_plc.h"

namespace edgeprune::station {

/// A network and how it is run: a checkpoint with its policy, or a bundle, which has both.
struct ModelConfig {
  std::string model;   ///< a checkpoint; empty: a bundle
  std::string policy;  ///< what `edgeprune calibrate` wrote
  std::string bundle;
  std::string root_key;  ///< the public key that all trust in bundles comes from, a PEM file
  std::string product;   ///< that the bundle must be for
  std::string
      counters;  ///< where the highest counter of each product is kept: bundles of lower ones are refused
  inference::Engine engine = inference::Engine::automatic;
  int threads = 1;
};

struct CameraConfig {
  std::string folder;               ///< images to play; empty: a real camera
  std::optional<GigeOptions> gige;  ///< exactly one of the two
};

/// Where the page, the metrics and the health are served.
struct PageConfig {
  std::string address = "127.0.0.1";
  int port = 8099;  ///< 0: any that is free
};

struct StationConfig {
  std::string name = "station";
  ModelConfig first;
  std::optional<ModelConfig> second;  ///< asked when the first is unsure
  CameraConfig camera;
  PlcOptions plc;
  std::chrono::nanoseconds deadline{0};  ///< from the trigger until the PLC must have the verdict
  int queue = 4;
  JournalOptions journal;
  std::string drift;  ///< what `edgeprune calibrate` saw; empty: nothing watches for drift
  PageConfig page;
  DeploymentOptions deployment;
};

/// Names of files are relative to `folder`, that of the configuration. Throws FileError("source: where: ...") on unknown
/// keys, missing ones, values out of their range, and a belt that carries an item past the diverter before it can act.
StationConfig parse_config(std::string_view text, const std::string& source,
                           const std::string& folder);
StationConfig read_config(const std::string& path);

}  // namespace edgeprune::station
