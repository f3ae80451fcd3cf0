#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "tools/station/plc/plc.h"

namespace edgeprune::station {

struct PlcOptions {
  std::string address = "127.0.0.1";
  int port = 502;
  int unit = 1;
  std::chrono::microseconds cycle{
      1000};  ///< from one transaction to the next; an answer does not wait for it
  /// A trigger may be as old as the transaction before. If that is longer ago (the process was stopped, the PLC
  /// answered late), its item is no longer where the camera looks: it is missed, not judged by another's image.
  std::chrono::milliseconds longest_pause{50};
};

/// A PLC over Modbus TCP (registers.h), in a thread of its own that connects, and connects again, for as long as it
/// lives: there need be no PLC yet. Modbus TCP is neither safe nor authenticated: the safety is that a PLC lets nothing
/// pass without a fresh ok, and the network must be one that only the two are on.
///
/// What was in front of the camera before a connection is not judged: the first trigger that counts is the first one that
/// changes. A result is confirmed when the PLC acknowledges it, or one told after it. Throws
/// std::invalid_argument for what is no address.
std::unique_ptr<Plc> open_modbus_plc(const PlcOptions& options);

}  // namespace edgeprune::station
