#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/station/plc/conveyor.h"

namespace edgeprune::station {

struct FakePlcOptions {
  std::string address = "127.0.0.1";
  int port = 0;                          ///< 0: any that is free
  std::chrono::microseconds scan{1000};  ///< the PLC's cycle
  bool paused = false;                   ///< no item comes before a station was heard
  ConveyorOptions conveyor;
};

/// A Modbus TCP server with a conveyor behind its registers, for tests and demos: a thread for clients, as many as come, one for
/// the scans.
class FakePlc {
 public:
  /// Throws FileError if it cannot listen there.
  explicit FakePlc(const FakePlcOptions& options);
  ~FakePlc();

  int port() const;
  bool finished() const;
  bool station_alive() const;
  /// What has left the belt since it was asked last.
  std::vector<Gone> take_gone();
  uint64_t unknown_results() const;
  uint64_t late_results() const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace edgeprune::station
