#include "engine/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <thread>
#include <vector>

#include "engine/base/cores.h"

namespace edgeprune {
namespace {

/// Calls body(piece) for every piece.
template <typename Body>
void run(int pieces, int threads, Body body) {
  run_pieces(
      {[](void* context, int piece) { (*static_cast<Body*>(context))(piece); }, &body, pieces},
      threads);
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

TEST(ThreadPool, RunsEveryPieceOnceThroughThousandsOfWorks) {
  std::vector<std::atomic<int>> calls(64);
  int expected = 0;
  for (int round = 0; round < 5000; ++round) {
    const int pieces = 1 + round % 64, threads = 1 + round % 7;
    // On some thread's stack, and gone when the work is done: whoever came late would crash.
    std::vector<int> own(static_cast<size_t>(pieces), 0);
    run(pieces, threads, [&](int piece) {
      ++calls[static_cast<size_t>(piece)];
      ++own.at(static_cast<size_t>(piece));
    });
    EXPECT_EQ(own, std::vector<int>(own.size(), 1)) << round;
    if (pieces > 30) ++expected;
  }
  EXPECT_EQ(calls[30], expected);
}

TEST(ThreadPool, WhatThePiecesWroteIsThereAfterwards) {
  std::vector<int64_t> sums(100);
  for (int round = 1; round <= 200; ++round) {
    run(100, 4, [&](int piece) { sums[static_cast<size_t>(piece)] += piece; });
    for (int piece = 0; piece < 100; ++piece) {
      ASSERT_EQ(sums[static_cast<size_t>(piece)], int64_t{piece} * round);
    }
  }
}

TEST(ThreadPool, AThreadLeavesTheCallersProcessorAndMayStillRunAnywhere) {
  const std::vector<int> all = affinity_mask();
  if (all.size() < 2) GTEST_SKIP() << "there is one processor";
  ASSERT_EQ(bind_to(std::array{all.front()}), 0);
  // The caller waits in its piece until the pool's thread has come for the other one.
  const auto in_the_pool = [](const std::function<void()>& what) {
    std::atomic<bool> done{false};
    run(2, 2, [&](int piece) {
      if (piece == 1) {
        what();
        done = true;
      }
      while (!done) sched_yield();
    });
  };
  int met = 0;
  constexpr int kTimes = 40;
  for (int i = 0; i < kTimes; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    in_the_pool([&] {  // it comes to the caller's processor, and may run anywhere
      EXPECT_EQ(bind_to(std::array{all.front()}), 0);
      EXPECT_EQ(bind_to(all), 0);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    in_the_pool([&] {
      met += sched_getcpu() == all.front();
      EXPECT_EQ(affinity_mask(), all);
    });
  }
  EXPECT_EQ(bind_to(all), 0);
  // On a busy machine the system puts it back as often as not, but not every time.
  EXPECT_LT(met, kTimes);
}

TEST(ThreadPool, WorkWithinAPieceStaysOnItsThread) {
  run(4, 4, [](int) {
    const auto own = std::this_thread::get_id();
    int pieces = 0;
    run(5, 4, [&](int) {
      EXPECT_EQ(std::this_thread::get_id(), own);
      ++pieces;  // not atomic: it is one thread
    });
    EXPECT_EQ(pieces, 5);
  });
}

TEST(ThreadPool, SeveralCallersAtOnceAreServed) {
  std::vector<std::thread> callers;
  std::atomic<int> pieces = 0;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) run(6, 3, [&](int) { ++pieces; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(pieces, 4 * 300 * 6);
}

constexpr int kMany = 64;

TEST(ThreadPool, AThreadThatCannotComeDelaysNobody) {
  // Far more threads than any machine's cores: most come late, and their pieces are taken.
  std::atomic<int> pieces = 0;
  for (int round = 0; round < 50; ++round) run(1000, kMany, [&](int) { ++pieces; });
  EXPECT_EQ(pieces, 50 * 1000);
}

TEST(ThreadPool, ThreadsThatWaitSleep) {
  run(4, 4, [](int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until all have stopped spinning
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu_seconds() - before, 0.03);
}

TEST(ThreadPool, CallerThatWaitsForALongPieceSleeps) {
  std::atomic<bool> other_began = false;
  const double before = cpu_seconds();
  run(2, 2, [&](int piece) {
    if (piece == 0) {
      while (!other_began) std::this_thread::yield();
    } else {
      other_began = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
  });
  EXPECT_LT(cpu_seconds() - before, 0.15);
}

TEST(ThreadPool, BoundThreadsStayOnTheirPlaces) {
  const std::vector<int> all = usable_processors();
  std::thread([&] {  // binding the test's own thread would bind all that follow
    std::vector<std::vector<int>> places;
    for (const int processor : all) places.push_back({processor});
    bind_threads(places);
    EXPECT_EQ(affinity_mask(), std::vector<int>{all[0]});
    EXPECT_EQ(usable_processors(), all);
    // More threads than other tests made: the new ones are bound.
    std::atomic<bool> new_one_came = false;
    run(2 * kMany, 2 * kMany, [&](int) {
      while (thread_index() < kMany && !new_one_came) std::this_thread::yield();
      if (thread_index() < kMany) return;
      new_one_came = true;
      EXPECT_EQ(affinity_mask(),
                std::vector<int>{all[static_cast<size_t>(thread_index()) % all.size()]});
    });
    EXPECT_TRUE(new_one_came);
  })
      .join();
}

}  // namespace
}  // namespace edgeprune
