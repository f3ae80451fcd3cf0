#include "tools/station/plc/modbus_plc.h"

#include <arpa/inet.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "tools/station/plc/modbus_context.h"
#include "tools/station/plc/registers.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMostTriggers = 8;
constexpr auto kResponse = 200ms;
constexpr std::chrono::milliseconds kFirstPause = 10ms, kLongestPause = 500ms;
/// An acknowledgement that takes longer than this behind the deadline does not come any more.
constexpr auto kLongestAck = 500ms;
/// More numbers than that are not missed at once: the PLC has another counter.
constexpr uint32_t kAnotherCounter = 1000;

uint32_t count_of(ItemId id) {
  return uint32_t{id.epoch} << 16 | id.trigger;
}

class ModbusPlc : public Plc {
 public:
  explicit ModbusPlc(const PlcOptions& options) : options_(options) {
    in_addr address{};
    require(inet_pton(AF_INET, options.address.c_str(), &address) == 1, "plc",
            "expected the address of a PLC, as 192.168.0.10, got '{}'", options.address);
    thread_ = std::jthread([this](const std::stop_token& stop) { talk(stop); });
  }

  ~ModbusPlc() override {
    thread_.request_stop();
    thread_.join();
    Calls calls;
    for (Told& told : told_) call_later(told, std::nullopt, calls);
    make(calls);
  }

  std::optional<Trigger> next(Instant deadline) override {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [&] { return !triggers_.empty(); });
    if (triggers_.empty()) return std::nullopt;
    const Trigger trigger = triggers_.front();
    triggers_.pop_front();
    ++busy_;
    return trigger;
  }

  void answer(const Answer& answer, std::function<void(std::optional<Instant>)> answered) override {
    const std::scoped_lock lock(mutex_);
    if (busy_ > 0) --busy_;
    told_.push_front({answer, std::move(answered), false});
    news_ = true;
    changed_.notify_all();
  }

  void set_state(State state) override {
    const std::scoped_lock lock(mutex_);
    state_ = state;
  }

  bool connected() const override {
    const std::scoped_lock lock(mutex_);
    return connected_;
  }

  PlcCounts counts() const override {
    const std::scoped_lock lock(mutex_);
    return counts_;
  }

 private:
  /// An answer, newest first in `told_`, until it is acknowledged; then it stays in the history of results.
  struct Told {
    Answer answer;
    std::function<void(std::optional<Instant>)> answered;  ///< empty once it was called
    bool written = false;
  };

  /// Of others' functions, made while no lock is held.
  using Calls = std::vector<std::function<void()>>;

  ModbusContext make_context() const {
    ModbusContext context(modbus_new_tcp(options_.address.c_str(), options_.port));
    if (context == nullptr) return context;
    modbus_set_slave(context.get(), options_.unit);
    modbus_set_response_timeout(context.get(), 0, std::chrono::microseconds(kResponse).count());
    return context;
  }

  void talk(const std::stop_token& stop) {
    auto pause = kFirstPause;
    bool again = false;
    while (!stop.stop_requested()) {
      const ModbusContext context = make_context();
      if (modbus_connect(context.get()) == 0) {
        {
          const std::scoped_lock lock(mutex_);
          if (std::exchange(again, true)) ++counts_.reconnects;
          last_.reset();
          asked_.reset();
          plc_alive_ = {};
          // What the PLC had acknowledged may be of numbers that it gives again now.
          std::erase_if(told_, [](const Told& told) { return !told.answered; });
        }
        // A connection that gave one good answer was a PLC's: the next attempt comes soon.
        if (exchange_until_it_fails(context.get(), stop)) pause = kFirstPause;
        modbus_close(context.get());
      }
      Calls calls;
      {
        std::unique_lock lock(mutex_);
        connected_ = false;
        changed_.wait_for(lock, stop, pause, [] { return false; });
        give_up_late(calls);
      }
      make(calls);
      pause = std::min(2 * pause, kLongestPause);
    }
  }

  bool exchange_until_it_fails(modbus_t* context, const std::stop_token& stop) {
    bool worked = false;
    for (Instant next = Clock::now(); !stop.stop_requested();) {
      if (!exchange(context)) return worked;
      worked = true;
      next = std::max(next + options_.cycle, Clock::now());
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, stop, next, [&] { return news_; });
    }
    return worked;
  }

  /// One transaction.
  bool exchange(modbus_t* context) {
    StationBlock out;
    Calls calls;
    {
      const std::scoped_lock lock(mutex_);
      give_up_late(calls);
      news_ = false;
      out = block();
    }
    PlcBlock in{};
    const Instant asked = Clock::now();
    const int got = modbus_write_and_read_registers(context, kStationBlock, out.size(), out.data(),
                                                    kPlcBlock, in.size(), in.data());
    const Instant now = Clock::now();
    const bool answered = got == static_cast<int>(in.size());
    if (answered) {
      const std::scoped_lock lock(mutex_);
      take_heartbeat(at(in, PlcRegister::heartbeat), now);
      const auto before = std::exchange(asked_, asked);
      const bool fresh = before && now - *before <= options_.longest_pause;
      take_trigger({at(in, PlcRegister::epoch), at(in, PlcRegister::trigger)}, now, fresh);
      take_acknowledgement({at(in, PlcRegister::ack_epoch), at(in, PlcRegister::ack_trigger)}, now,
                           calls);
      changed_.notify_all();
    }
    make(calls);
    return answered;
  }

  StationBlock block() {
    StationBlock out{};
    at(out, StationRegister::heartbeat) = ++heartbeat_;
    at(out, StationRegister::state) = static_cast<Register>(state_);
    at(out, StationRegister::busy) = static_cast<Register>(busy_);
    at(out, StationRegister::missed) = static_cast<Register>(counts_.missed);
    at(out, StationRegister::overruns) = static_cast<Register>(counts_.overruns);
    for (int i = 0; i < std::min<int>(kHistory, static_cast<int>(told_.size())); ++i) {
      Told& told = told_[static_cast<size_t>(i)];
      told.written = true;
      encode({told.answer.id, told.answer.verdict, told.answer.confidence},
             result_registers(out, i));
    }
    return out;
  }

  void take_heartbeat(Register counter, Instant now) {
    const bool alive = plc_alive_.alive(counter, now);
    if (connected_ && !alive) ++counts_.lost_heartbeats;
    connected_ = alive;
  }

  void take_trigger(ItemId id, Instant now, bool fresh) {
    if (!last_ || *last_ == id) {
      last_ = id;
      return;
    }
    const uint32_t steps = count_of(id) - count_of(*last_);
    last_ = id;
    if (steps < kAnotherCounter) counts_.missed += steps - 1;
    if (!fresh) {
      ++counts_.missed;
      return;
    }
    ++counts_.triggers;
    if (triggers_.size() >= kMostTriggers) {
      ++counts_.overruns;
      return;
    }
    triggers_.push_back({id, now});
  }

  void take_acknowledgement(ItemId id, Instant now, Calls& calls) {
    const auto acknowledged = std::find_if(told_.begin(), told_.end(), [&](const Told& told) {
      return told.answer.id == id && told.written;
    });
    for (auto told = acknowledged; told != told_.end(); ++told) {
      if (told->answered) ++counts_.answers;
      call_later(*told, now, calls);
    }
    while (told_.size() > kHistory && !told_.back().answered) told_.pop_back();
  }

  /// What is not written before its deadline never is; what the PLC did not acknowledge long after it, it did not get.
  void give_up_late(Calls& calls) {
    const Instant now = Clock::now();
    for (size_t i = told_.size(); i-- > 0;) {
      Told& told = told_[i];
      const bool late =
          told.answered && now >= told.answer.deadline + (told.written ? kLongestAck : 0ms);
      if (!late) continue;
      if (!told.written) ++counts_.late;
      call_later(told, std::nullopt, calls);
      if (!told.written || i >= kHistory)
        told_.erase(told_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  static void call_later(Told& told, std::optional<Instant> when, Calls& calls) {
    if (told.answered)
      calls.emplace_back([answered = std::exchange(told.answered, {}), when] { answered(when); });
  }

  static void make(const Calls& calls) {
    for (const auto& call : calls) call();
  }

  const PlcOptions options_;
  mutable std::mutex mutex_;  ///< of all below
  std::condition_variable_any changed_;
  std::deque<Trigger> triggers_;
  std::deque<Told> told_;
  bool news_ = false;  ///< an answer that was not written yet
  bool connected_ = false;
  int busy_ = 0;
  State state_ = State::initialized;
  Register heartbeat_ = 0;
  std::optional<ItemId> last_;    ///< the trigger that was read last on this connection
  std::optional<Instant> asked_;  ///< when the last transaction that was answered began
  HeartbeatWatch plc_alive_;
  PlcCounts counts_;
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<Plc> open_modbus_plc(const PlcOptions& options) {
  return std::make_unique<ModbusPlc>(options);
}

}  // namespace edgeprune::station
