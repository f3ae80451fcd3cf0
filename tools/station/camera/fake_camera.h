#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/image.h"

namespace edgeprune::station {

/// A GigE Vision camera for tests and demos, Aravis' own with our images: it answers on an interface as a real one
/// does, by its protocols, from threads of its own. Image i of `images`, and after the last the first again, is what
/// the i-th trigger gets, stretched to the region that was asked for (nearest pixels).
class FakeCamera {
 public:
  /// Throws FileError if it cannot listen: the interface (its name or address) is none of this machine, or has such a camera
  /// already. `serial`: it is found as Aravis-Fake-SERIAL.
  FakeCamera(const std::string& interface, const std::string& serial, std::vector<Image> images);
  ~FakeCamera();

  /// Of the packets that carry images so many thousandths are not sent.
  void lose_packets(double per_thousand);
  /// Images that were sent.
  uint64_t sent() const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace edgeprune::station
