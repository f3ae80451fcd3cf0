#include "engine/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
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
