#include "tools/station/plc/modbus_plc.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "tools/station/plc/fake_plc.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

template <typename Condition>
bool wait_for(const Condition& condition, std::chrono::milliseconds most = 20s) {
  for (const Instant until = Clock::now() + most; Clock::now() < until;
       std::this_thread::sleep_for(1ms)) {
    if (condition()) return true;
  }
  return condition();
}

FakePlcOptions belt_of(uint64_t items, double per_second = 200) {
  FakePlcOptions options;
  options.paused = true;
  options.conveyor.items = items;
  options.conveyor.items_per_second = per_second;
  options.conveyor.to_diverter = 1s;  // a busy machine: no time is tested here
  return options;
}

PlcOptions at_port(int port) {
  PlcOptions options;
  options.port = port;
  return options;
}

/// Answers every trigger at once by `verdict` of its number until the belt is empty.
std::vector<Gone> judge_all(FakePlc& fake, Plc& plc, const std::function<Verdict(int)>& verdict,
                            std::atomic<int>* confirmed = nullptr) {
  std::vector<Gone> gone;
  for (const Instant until = Clock::now() + 60s; !fake.finished() && Clock::now() < until;) {
    if (const auto trigger = plc.next(Clock::now() + 5ms)) {
      plc.answer({trigger->id, verdict(trigger->id.trigger), 0.75f, trigger->seen + 900ms},
                 [=](std::optional<Instant> when) {
                   if (when && confirmed != nullptr) ++*confirmed;
                 });
    }
    for (const Gone& one : fake.take_gone()) gone.push_back(one);
  }
  for (const Gone& one : fake.take_gone()) gone.push_back(one);
  return gone;
}

TEST(ModbusPlc, EveryItemGetsItsOwnVerdict) {
  FakePlc fake(belt_of(300));
  const auto plc = open_modbus_plc(at_port(fake.port()));
  plc->set_state(State::executing);
  std::atomic<int> confirmed = 0;
  const auto gone = judge_all(
      fake, *plc, [](int id) { return static_cast<Verdict>(id % 3); }, &confirmed);
  ASSERT_EQ(gone.size(), 300u);
  const std::map<int, Outcome> wanted{
      {0, Outcome::passed}, {1, Outcome::rejected}, {2, Outcome::review}};
  // Of two items between two transactions, on a machine that does other things, the first is
  // missed: it is diverted by silence.
  uint64_t missed = 0;
  for (const Gone& item : gone) {
    if (item.outcome == Outcome::silence) {
      ++missed;
    } else {
      EXPECT_EQ(item.outcome, wanted.at(item.id.trigger % 3)) << item.number;
    }
  }
  EXPECT_LT(missed, 60u);
  EXPECT_EQ(plc->counts().missed, missed);
  EXPECT_EQ(plc->counts().triggers, 300 - missed);
  EXPECT_TRUE(wait_for([&] { return confirmed == static_cast<int>(300 - missed); })) << confirmed;
  EXPECT_EQ(plc->counts().answers, 300 - missed);
  EXPECT_EQ(fake.unknown_results(), 0u);
  EXPECT_EQ(fake.late_results(), 0u);
}

TEST(ModbusPlc, IdsThatWrapAreDifferentItems) {
  FakePlcOptions options = belt_of(40, 100);
  options.conveyor.first_trigger = 65520;
  FakePlc fake(options);
  const auto plc = open_modbus_plc(at_port(fake.port()));
  const auto gone = judge_all(fake, *plc, [](int) { return Verdict::ok; });
  ASSERT_EQ(gone.size(), 40u);
  uint64_t passed = 0;
  for (const Gone& item : gone) passed += item.outcome == Outcome::passed;
  EXPECT_EQ(gone.back().id.epoch, 2);
  EXPECT_GT(passed, 30u);
  EXPECT_EQ(plc->counts().missed, 40 - passed);
}

TEST(ModbusPlc, AnAnswerAfterItsDeadlineIsNeverTold) {
  FakePlc fake(belt_of(1));
  const auto plc = open_modbus_plc(at_port(fake.port()));
  const auto trigger = plc->next(Clock::now() + 20s);
  ASSERT_TRUE(trigger);
  std::atomic<bool> called = false, confirmed = false;
  plc->answer({trigger->id, Verdict::ok, 1, Clock::now() - 1ms}, [&](std::optional<Instant> when) {
    confirmed = when.has_value();
    called = true;
  });
  EXPECT_TRUE(wait_for([&] { return called.load(); }));
  EXPECT_FALSE(confirmed);
  EXPECT_EQ(plc->counts().late, 1u);
  ASSERT_TRUE(wait_for([&] { return fake.finished(); }));
  EXPECT_EQ(fake.take_gone().at(0).outcome, Outcome::silence);
}

TEST(ModbusPlc, WhatNobodyFetchesIsCountedAndNothingGrows) {
  FakePlc fake(belt_of(100, 500));
  const auto plc = open_modbus_plc(at_port(fake.port()));
  ASSERT_TRUE(wait_for([&] { return fake.finished(); }));
  const PlcCounts counts = plc->counts();
  EXPECT_EQ(counts.triggers + counts.missed, 100u);
  EXPECT_EQ(counts.triggers - counts.overruns, 8u) << "what the queue holds";
  for (const Gone& item : fake.take_gone()) EXPECT_EQ(item.outcome, Outcome::silence);
}

TEST(ModbusPlc, APlcThatComesBackIsFoundAndItsOldItemsAreNot) {
  auto first = std::make_unique<FakePlc>(belt_of(0, 100));
  const int port = first->port();
  const auto plc = open_modbus_plc(at_port(port));
  ASSERT_TRUE(wait_for([&] { return plc->connected() && plc->counts().triggers > 3; }));
  first.reset();
  EXPECT_TRUE(wait_for([&] { return !plc->connected(); }));
  FakePlcOptions options = belt_of(50, 100);
  options.port = port;
  options.conveyor.first_epoch = 2;  // as a PLC that keeps its epoch counts its restarts
  FakePlc second(options);
  while (plc->next(Clock::now())) {
  }
  const auto gone = judge_all(second, *plc, [](int) { return Verdict::ok; });
  ASSERT_EQ(gone.size(), 50u);
  int passed = 0;
  for (const Gone& item : gone) passed += item.outcome == Outcome::passed;
  EXPECT_GT(passed, 40) << "all but what a busy machine misses";
  EXPECT_GE(plc->counts().reconnects, 1u);
}

/// A server that answers whatever it gets by `reply`.
class Babbler {
 public:
  explicit Babbler(std::string reply) : reply_(std::move(reply)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::listen(socket_, 8);
    socklen_t size = sizeof(address);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    thread_ = std::jthread([this] {
      for (int client; (client = ::accept(socket_, nullptr, nullptr)) >= 0;) {
        char request[512];
        while (::recv(client, request, sizeof(request), 0) > 0) {
          ++requests;
          std::string answer = reply_;
          if (answer.size() >= 8)
            answer[0] = request[0], answer[1] = request[1];  // the transaction's number
          if (::send(client, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
        }
        ::close(client);
      }
    });
  }
  ~Babbler() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }

  int port = 0;
  std::atomic<int> requests = 0;

 private:
  std::string reply_;
  int socket_;
  std::jthread thread_;
};

TEST(ModbusPlc, ExceptionsAndGarbageAreNoTriggers) {
  const std::string exception("\0\0\0\0\0\3\1\x97\2", 9);  // illegal data address
  const std::string garbage = "HTTP/1.1 400 Bad Request\r\n\r\n";
  const std::string short_answer("\0\0\0\0\0\3\1\x17\0", 9);  // no registers
  for (const std::string& reply : {exception, garbage, short_answer}) {
    Babbler babbler(reply);
    {
      const auto plc = open_modbus_plc(at_port(babbler.port));
      std::atomic<bool> called = false;
      plc->answer({{1, 1}, Verdict::ok, 1, Clock::now() + 300ms}, [&](std::optional<Instant> when) {
        EXPECT_FALSE(when);
        called = true;
      });
      EXPECT_TRUE(wait_for([&] { return babbler.requests >= 2; }));
      EXPECT_FALSE(plc->next(Clock::now() + 50ms));
      EXPECT_FALSE(plc->connected());
      EXPECT_TRUE(wait_for([&] { return called.load(); }))
          << "an answer that nobody takes is given up";
    }
  }
}

/// Answers function 23 with the next trigger's number each time, `pause` after it was asked.
std::jthread slow_plc(int listener, std::chrono::milliseconds pause) {
  return std::jthread([=] {
    const int client = ::accept(listener, nullptr, nullptr);
    char request[512];
    for (char number = 1; ::recv(client, request, sizeof(request), 0) > 0; ++number) {
      std::this_thread::sleep_for(pause);
      const char reply[] = {request[0], request[1], 0, 0, 0, 13, 1, 0x17, 10,    0,
                            number,     0,          1, 0, 0, 0,  0, 0,    number};
      if (::send(client, reply, sizeof(reply), MSG_NOSIGNAL) < 0) break;
    }
    ::close(client);
  });
}

TEST(ModbusPlc, ATriggerThatMayBeOldIsMissedAndNotJudgedByAnothersImage) {
  for (const bool slow : {false, true}) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::listen(listener, 1);
    socklen_t size = sizeof(address);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const std::jthread server = slow_plc(listener, slow ? 30ms : 1ms);
    PlcOptions options = at_port(ntohs(address.sin_port));
    options.longest_pause = slow ? 10ms : 10000ms;
    {
      const auto plc = open_modbus_plc(options);
      EXPECT_EQ(plc->next(Clock::now() + (slow ? 300ms : 20000ms)).has_value(), !slow);
      const PlcCounts counts = plc->counts();
      EXPECT_EQ(counts.triggers > 0, !slow);
      EXPECT_EQ(counts.missed > 0, slow);
    }
    ::close(listener);
  }
}

TEST(ModbusPlc, AnAddressThatIsNoneIsRefused) {
  PlcOptions options;
  options.address = "300.1.2.3.4.5.6.7.8.9.10.11.12";
  EXPECT_THROW(open_modbus_plc(options), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune::station
