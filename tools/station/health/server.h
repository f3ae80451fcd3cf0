#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tools/station/health/snapshot.h"

namespace edgeprune::station {

/// Answers GET on /, the page; /status.json, what it shows; /image/N, the image of one of the last items; /metrics, for
/// Prometheus; and /healthz, 200 if items can pass and 503 with the reasons if not. Everything else is 404, other
/// methods 405. At most 16 connections, 10 s without a byte each.
class HealthServer {
 public:
  /// `take` is asked for every answer, from the server's thread. `port` 0: any that is free. Throws FileError if the address is
  /// not one of this machine's loopback (anything beyond asks for TLS, which a proxy in front gives) or the port is taken.
  HealthServer(const std::string& address, int port, std::function<Snapshot()> take);
  ~HealthServer();

  int port() const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace edgeprune::station
