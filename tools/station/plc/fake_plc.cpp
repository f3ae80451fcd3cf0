#include "tools/station/plc/fake_plc.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/base/check.h"
#include "tools/station/plc/modbus_context.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

constexpr int kRegisters = kStationBlock + kStationBlockSize;
constexpr size_t kMostClients = 16;
/// A request that stops in its middle for longer ends the connection.
constexpr auto kWholeRequest = 500ms;

int port_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

}  // namespace

struct FakePlc::Inside {
  FakePlcOptions options;
  ModbusContext context;
  ModbusMapping mapping{modbus_mapping_new(0, 0, kRegisters, 0)};
  int listener = -1;
  mutable std::mutex mutex;  ///< of the registers and the conveyor
  std::unique_ptr<Conveyor> conveyor;
  bool heard = false;
  std::jthread clients, scans;

  void serve(const std::stop_token& stop) {
    std::vector<pollfd> sockets{{listener, POLLIN, 0}};
    while (!stop.stop_requested()) {
      if (poll(sockets.data(), sockets.size(), 50) <= 0) continue;
      for (size_t i = sockets.size(); i-- > 1;) {
        if (sockets[i].revents == 0 || answer(sockets[i].fd)) continue;
        close(sockets[i].fd);
        sockets.erase(sockets.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (sockets[0].revents != 0) welcome(sockets);
    }
    for (size_t i = 1; i < sockets.size(); ++i) close(sockets[i].fd);
  }

  void welcome(std::vector<pollfd>& sockets) {
    int client = -1;
    if (modbus_tcp_accept(context.get(), &listener) < 0) return;
    client = modbus_get_socket(context.get());
    if (sockets.size() > kMostClients) {
      close(client);
    } else {
      sockets.push_back({client, POLLIN, 0});
    }
  }

  /// False if the connection is at its end.
  bool answer(int client) {
    std::array<uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> request;
    modbus_set_socket(context.get(), client);
    int length = 0;
    do {
      length = modbus_receive(context.get(), request.data());
    } while (length == 0);
    if (length < 0) return false;
    const std::scoped_lock lock(mutex);
    heard = true;
    return modbus_reply(context.get(), request.data(), length, mapping.get()) >= 0;
  }

  void scan(const std::stop_token& stop) {
    for (Instant next = Clock::now(); !stop.stop_requested();) {
      {
        const std::scoped_lock lock(mutex);
        scan_once();
      }
      next = std::max(next + options.scan, Clock::now());
      std::this_thread::sleep_until(next);
    }
  }

  void scan_once() {
    const Instant now = Clock::now();
    if (heard && std::exchange(options.paused, false)) conveyor->let_come_from(now + 500ms);
    StationBlock station;
    PlcBlock plc;
    Register* registers = mapping->tab_registers;
    std::copy_n(registers + kStationBlock, station.size(), station.begin());
    std::copy_n(registers + kPlcBlock, plc.size(), plc.begin());
    conveyor->scan(now, station, plc);
    std::copy(plc.begin(), plc.end(), registers + kPlcBlock);
  }
};

FakePlc::FakePlc(const FakePlcOptions& options) : inside_(std::make_unique<Inside>()) {
  inside_->options = options;
  inside_->conveyor =
      std::make_unique<Conveyor>(options.conveyor, options.paused ? Instant::max() : Clock::now());
  inside_->scan_once();  // no client reads registers that no program wrote
  inside_->context.reset(modbus_new_tcp(options.address.c_str(), options.port));
  const std::string name = fmt::format("{}:{}", options.address, options.port);
  require_file(inside_->context != nullptr, name, "expected an address as 127.0.0.1");
  modbus_set_indication_timeout(inside_->context.get(), 0,
                                std::chrono::microseconds(kWholeRequest).count());
  inside_->listener = modbus_tcp_listen(inside_->context.get(), 8);
  require_file(inside_->listener >= 0, name, "cannot be listened on: {}", modbus_strerror(errno));
  inside_->clients =
      std::jthread([inside = inside_.get()](const std::stop_token& stop) { inside->serve(stop); });
  inside_->scans =
      std::jthread([inside = inside_.get()](const std::stop_token& stop) { inside->scan(stop); });
}

FakePlc::~FakePlc() {
  inside_->clients.request_stop();
  inside_->scans.request_stop();
  if (inside_->clients.joinable()) inside_->clients.join();
  if (inside_->scans.joinable()) inside_->scans.join();
  if (inside_->listener >= 0) close(inside_->listener);
}

int FakePlc::port() const {
  return port_of(inside_->listener);
}

bool FakePlc::finished() const {
  const std::scoped_lock lock(inside_->mutex);
  return inside_->conveyor->finished();
}

bool FakePlc::station_alive() const {
  const std::scoped_lock lock(inside_->mutex);
  return inside_->conveyor->station_alive();
}

std::vector<Gone> FakePlc::take_gone() {
  const std::scoped_lock lock(inside_->mutex);
  return inside_->conveyor->take_gone();
}

uint64_t FakePlc::unknown_results() const {
  const std::scoped_lock lock(inside_->mutex);
  return inside_->conveyor->unknown_results();
}

uint64_t FakePlc::late_results() const {
  const std::scoped_lock lock(inside_->mutex);
  return inside_->conveyor->late_results();
}

}  // namespace edgeprune::station
