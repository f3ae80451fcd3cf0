#include "engine/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace edgeprune {
namespace {

using Piece = std::tuple<int64_t, int64_t>;

/// The pieces of [0, count) in order of part.
std::vector<Piece> pieces(int64_t count, int64_t grain) {
  std::vector<Piece> found(static_cast<size_t>(thread_count()));
  const int parts = parallel_for(count, grain, [&](int64_t begin, int64_t end, int part) {
    found.at(static_cast<size_t>(part)) = {begin, end};
  });
  found.resize(static_cast<size_t>(parts));
  return found;
}

TEST(ParallelFor, PiecesFollowOneAnotherAndCoverTheRange) {
  for (const int threads : {1, 2, 3, 4}) {
    const ThreadScope scope(threads);
    for (const int64_t count : {1, 2, 3, 7, 100}) {
      int64_t next = 0;
      for (const auto& [begin, end] : pieces(count, 1)) {
        EXPECT_EQ(begin, next);
        EXPECT_GT(end, begin);
        next = end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(ParallelFor, EmptyRangeCallsNothing) {
  EXPECT_EQ(parallel_for(0, 1, [](int64_t, int64_t, int) { FAIL(); }), 0);
  EXPECT_EQ(parallel_for(-5, 1, [](int64_t, int64_t, int) { FAIL(); }), 0);
}

TEST(ParallelFor, RangeWithinOneGrainIsOnePiece) {
  const ThreadScope scope(4);
  EXPECT_EQ(pieces(100, 100), (std::vector<Piece>{{0, 100}}));
  EXPECT_EQ(pieces(5, 100), (std::vector<Piece>{{0, 5}}));
}

TEST(ParallelFor, NoMorePiecesThanThreads) {
  const ThreadScope scope(2);
  EXPECT_EQ(pieces(100, 1), (std::vector<Piece>{{0, 50}, {50, 100}}));
}

TEST(ParallelFor, NoPieceIsSmallerThanTheGrain) {
  const ThreadScope scope(4);
  for (const int64_t count : {101, 150, 199, 250, 399}) {
    for (const auto& [begin, end] : pieces(count, 100)) EXPECT_GE(end - begin, 100) << count;
  }
}

TEST(ParallelFor, ThrowsWhatAPartThrewOnceAllHaveEnded) {
  const ThreadScope scope(3);
  std::atomic<int> ended = 0;
  const auto body = [&](int64_t, int64_t, int part) {
    if (part == 1) throw std::bad_alloc();
    ++ended;
  };
  EXPECT_THROW(parallel_for(3, 1, body), std::bad_alloc);
  EXPECT_EQ(ended, 2);
}

/// Runs through pieces and returns them in order.
std::vector<Piece> run(const Pieces& pieces) {
  std::vector<Piece> found(static_cast<size_t>(pieces.count()));
  std::vector<std::atomic<int>> calls(found.size());
  parallel_for(pieces, [&](int64_t begin, int64_t end, int piece) {
    found.at(static_cast<size_t>(piece)) = {begin, end};
    ++calls.at(static_cast<size_t>(piece));
  });
  for (const auto& count : calls) EXPECT_EQ(count, 1);
  return found;
}

TEST(Pieces, FollowOneAnotherAndCoverTheRange) {
  for (const int threads : {1, 2, 3, 4}) {
    const ThreadScope scope(threads);
    for (const int64_t smallest : {1, 3, 8}) {
      for (const int64_t count : {1, 2, 7, 8, 31, 128, 1000}) {
        int64_t next = 0;
        for (const auto& [begin, end] : run(Pieces(count, smallest))) {
          EXPECT_EQ(begin, next);
          EXPECT_GT(end, begin);
          EXPECT_TRUE(end == count || (end - begin) % smallest == 0) << begin << " to " << end;
          next = end;
        }
        EXPECT_EQ(next, count);
      }
    }
  }
}

TEST(Pieces, OfOneThreadAreOne) {
  const ThreadScope scope(1);
  EXPECT_EQ(run(Pieces(1000, 8)), (std::vector<Piece>{{0, 1000}}));
}

TEST(Pieces, OfNothingAreNone) {
  EXPECT_EQ(Pieces(0, 8).count(), 0);
  parallel_for(Pieces(0, 8), [](int64_t, int64_t, int) { FAIL(); });
}

TEST(Pieces, AreLargeAtFirstAndFillUpTheEnd) {
  const ThreadScope scope(2);
  EXPECT_EQ(run(Pieces(128, 1)), (std::vector<Piece>{{0, 48},
                                                     {48, 96},
                                                     {96, 104},
                                                     {104, 112},
                                                     {112, 116},
                                                     {116, 120},
                                                     {120, 122},
                                                     {122, 124},
                                                     {124, 126},
                                                     {126, 128}}));
  EXPECT_EQ(run(Pieces(512, 256)), (std::vector<Piece>{{0, 256}, {256, 512}}));
}

TEST(Pieces, TheFirstOnesGoToAThreadEach) {
  const ThreadScope scope(3);
  const Pieces pieces(1000, 1);
  std::atomic<int> begun = 0;
  parallel_for(pieces, [&](int64_t, int64_t, int piece) {
    if (piece >= 3) return;
    ++begun;
    while (begun < 3) std::this_thread::yield();  // so that no thread is late
    EXPECT_EQ(thread_index(), piece);
  });
  EXPECT_EQ(begun, 3);
}

TEST(ParallelFor, ThrowsWhatTheFirstPartThrewThatDid) {
  const ThreadScope scope(4);
  for (int round = 0; round < 20; ++round) {
    try {
      parallel_for(4, 1, [](int64_t, int64_t, int part) {
        if (part > 0) throw std::runtime_error(std::to_string(part));
      });
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "1");
    }
  }
}

TEST(ThreadScope, HoldsWithinThePieces) {
  const ThreadScope scope(3);
  parallel_for(3, 1, [](int64_t, int64_t, int) { EXPECT_EQ(thread_count(), 3); });
}

TEST(Pieces, ThrowWhatOneThrewOnceAllHaveEnded) {
  for (const int threads : {1, 3}) {
    const ThreadScope scope(threads);
    const Pieces pieces(1000, 1);
    std::atomic<int> ended = 0;
    const auto body = [&](int64_t, int64_t, int piece) {
      if (piece == pieces.count() - 1) throw std::bad_alloc();
      ++ended;
    };
    EXPECT_THROW(parallel_for(pieces, body), std::bad_alloc);
    EXPECT_EQ(ended, pieces.count() - 1);
  }
}

TEST(ThreadScope, RestoresTheCount) {
  const int before = thread_count();
  {
    const ThreadScope outer(3);
    EXPECT_EQ(thread_count(), 3);
    {
      const ThreadScope inner(1);
      EXPECT_EQ(thread_count(), 1);
    }
    EXPECT_EQ(thread_count(), 3);
  }
  EXPECT_EQ(thread_count(), before);
}

}  // namespace
}  // namespace edgeprune
